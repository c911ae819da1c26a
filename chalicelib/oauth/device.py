"""The device flow (RFC 8628): a device shows a code, a person types it elsewhere and decides; the device polls."""

import json
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError, UpdateError
from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, randomness, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.oauth import client_lifetime, clients, grants
from chalicelib.oauth.tables import Client, Grant, Ticket

LIVES_S = 600
INTERVAL_S = 5
SLOWER_BY_S = 5
"""RFC 8628 §3.5: each `slow_down` makes the interval longer."""
DEVICE_KIND, USER_CODE_KIND = "dc", "uc"
APPROVED, DENIED = "approved", "denied"

TYPED_MAX = 100
"""So much of what is typed is looked at: a code has eight letters."""
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 §6.1: no vowels, so no words; 20 letters at 8 places are 34 bits for ten minutes, with few tries."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A device that waits for a person to decide."""

    ticket: Ticket
    client: Client

    @property
    def user_code(self) -> str:
        """Return the code exactly as the device shows it, however it was typed (RFC 8628 §3.3.1, §5.4)."""
        return _shown(str(self.ticket.user_code))

    @property
    def shown(self) -> str:
        """Return a digest of what the page that asks says: a decision holds for what was read, and nothing else."""
        ticket = self.ticket
        said = [self.client.name, self.user_code, sorted(ticket.scopes or ()), sorted(ticket.resources or ())]
        return secrets.digest(f"device {json.dumps(said)}")


def start(client: Client, *, scopes: set[str], resources: set[str], base_url: str) -> dict[str, object]:
    """Open a device authorization and return its answer (RFC 8628 §3.2)."""
    secret = secrets.mint(DEVICE_KIND)
    user_code = "".join(_LETTERS[randomness.below(len(_LETTERS))] for _ in range(8))
    expires_at = clock.now_ms() + LIVES_S * 1000
    ticket = Ticket(
        secrets.digest(secret),
        kind=DEVICE_KIND,
        client_id=client.client_id,
        scopes=scopes,
        resources=resources or None,
        expires_at=expires_at,
        user_code=user_code,
        interval_s=INTERVAL_S,
        # Any caller can start one, so it is kept no longer than it can be approved.
        dies_at=expires_at // 1000,
    )
    pointer = Ticket(
        _digest(user_code),
        kind=USER_CODE_KIND,
        client_id=client.client_id,
        expires_at=expires_at,
        device_digest=ticket.digest,
        dies_at=expires_at // 1000,
    )
    try:
        with models.transaction() as write:
            write.save(ticket, condition=Ticket.digest.does_not_exist())
            # Of two devices with one code the second takes another: a person must never decide for another's.
            write.save(pointer, condition=Ticket.digest.does_not_exist() | (Ticket.expires_at <= clock.now_ms()))
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        return start(client, scopes=scopes, resources=resources, base_url=base_url)
    shown = _shown(user_code)
    return {
        "device_code": secret,
        "user_code": shown,
        "verification_uri": f"{base_url}/device",
        "verification_uri_complete": f"{base_url}/device?user_code={shown}",
        "expires_in": LIVES_S,
        "interval": INTERVAL_S,
    }


def pending(typed: str) -> Pending:
    """Return the device whose code was `typed`, in any letter case; raise NotFound when none waits with it."""
    # Letters of other scripts that become ours as capitals weren't shown by any device.
    letters = "".join(letter for letter in typed[:TYPED_MAX] if letter.isascii() and letter.upper() in _LETTERS).upper()
    pointer = Ticket.found(_digest(letters))
    ticket = Ticket.found(str(pointer.device_digest)) if pointer is not None else None
    if ticket is None:
        raise errors.NotFound("No device waits with this code. Look at the device, and type the code it shows now.")
    client = clients.find(ticket.client_id)
    if client is None or ticket.decision is not None or ticket.expires_at <= clock.now_ms():
        raise _used_or_old()
    return Pending(ticket, client)


def approve(waiting: Pending, account_id: str) -> None:
    """Say yes for an account; raise NotFound when it was decided, or ran out, meanwhile.

    Nothing of it is remembered: the page names no address, so it is no yes to a code that goes to one.
    """
    ticket = waiting.ticket
    scopes, resources = set(ticket.scopes or ()), set(ticket.resources or ())
    grant = grants.new(account_id, ticket.client_id, scopes=scopes, resources=resources)
    _decide(waiting, APPROVED, account_id, grant)


def deny(waiting: Pending, account_id: str) -> None:
    """Say no; raise NotFound when it was decided, or ran out, meanwhile."""
    _decide(waiting, DENIED, account_id, None)


def polls_too_fast(ticket: Ticket) -> bool:
    """Tell whether a waiting device asks sooner than its interval allows, and make the interval longer if so.

    Also where its code is forgotten at this moment: it is told that when it asks again.
    """
    now_ms = clock.now_ms()
    interval_s = ticket.interval_s or INTERVAL_S
    try:
        # Of two polls at once one is in time: the other finds the moment taken.
        Ticket(ticket.digest).update(
            actions=[Ticket.polled_at.set(now_ms)],
            condition=Ticket.kind.exists()
            & (Ticket.polled_at.does_not_exist() | (Ticket.polled_at <= now_ms - interval_s * 1000)),
        )
    except UpdateError as error:
        if not models.refused(error):
            raise
        actions: list[Action] = [Ticket.polled_at.set(now_ms), Ticket.interval_s.set(interval_s + SLOWER_BY_S)]
        try:
            Ticket(ticket.digest).update(actions=actions, condition=Ticket.kind.exists())
        except UpdateError as gone:
            if not models.refused(gone):
                raise
        return True
    return False


def _decide(waiting: Pending, decision: str, account_id: str, grant: Grant | None) -> None:
    ticket, now_ms = waiting.ticket, clock.now_ms()
    actions: list[Action] = [
        Ticket.decision.set(decision),
        Ticket.account_id.set(account_id),
        Ticket.granted_at.set(now_ms),
    ]
    if grant is not None:
        # Kept as long as its grant: a second use must be found whenever it comes.
        actions += [Ticket.grant_id.set(grant.id), Ticket.dies_at.set(grant.dies_at)]
    with models.refused_as(_used_or_old()), models.transaction() as write:
        if grant is not None:
            write.save(grant, condition=Grant.account_id.does_not_exist())
            grants.tell(write, grant, kinds.GRANT_CREATED, name=waiting.client.name)
            client_lifetime.keep(write, waiting.client)
        write.update(
            Ticket(ticket.digest),
            actions=actions,
            # Decided once: of a yes and a no at the same moment the first stands.
            condition=Ticket.decision.does_not_exist() & (Ticket.expires_at > now_ms),
        )


def _shown(user_code: str) -> str:
    return f"{user_code[:4]}-{user_code[4:]}"


def _used_or_old() -> errors.NotFound:
    return errors.NotFound("This code is used or too old. Start again on the device.")


def _digest(user_code: str) -> str:
    return secrets.digest(f"user code {user_code}")
