"""The device flow (RFC 8628). A device shows a user code and polls; the resource owner enters the code in a browser."""

import json
from dataclasses import dataclass

from pynamodb.exceptions import TransactWriteError, UpdateError
from pynamodb.expressions.update import Action

from chalicelib.core import clock, errors, randomness, secrets
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.oauth import account_choice, client_lifetime, clients, grants
from chalicelib.oauth.account_choice import Choice
from chalicelib.oauth.tables import Client, Grant, OneTimeToken

EXPIRES_IN_S = 600
INTERVAL_S = 5
SLOW_DOWN_S = 5
"""Seconds by which each `slow_down` lengthens the polling interval (RFC 8628 §3.5)."""
DEVICE_KIND, USER_CODE_KIND = "dc", "uc"
APPROVED, DENIED = "approved", "denied"

TYPED_MAX = 100
"""How many characters of an entered code are read. A user code has eight letters."""
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""The letters of user codes. Vowels are omitted, so that no code is a word (RFC 8628 §6.1). Eight of 20 letters have 34
bits of entropy, which suffices because a code expires after ten minutes and the number of tries is limited.
"""


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A device authorization that the resource owner hasn't decided yet."""

    device_code: OneTimeToken
    client: Client

    @property
    def user_code(self) -> str:
        """Return the user code in the format that the device shows, even if the user typed it differently (RFC 8628
        §3.3.1, §5.4).
        """
        return _format_user_code(str(self.device_code.user_code))

    @property
    def scopes(self) -> frozenset[str]:
        """Return the requested scopes."""
        return frozenset(self.device_code.scopes or ())

    def page_digest(self, offered: list[Choice]) -> str:
        """Return a digest of the consent page's content, with the accounts that it offers. A decision is valid only for
        the content that the user was shown.
        """
        resources = sorted(self.device_code.resources or ())
        content = [self.client.name, self.user_code, sorted(self.scopes), resources, account_choice.content(offered)]
        return secrets.digest(f"device {json.dumps(content)}")


def start(client: Client, *, scopes: set[str], resources: set[str], base_url: str) -> dict[str, object]:
    """Start a device authorization and return the response (RFC 8628 §3.2)."""
    secret = secrets.mint(DEVICE_KIND)
    user_code = "".join(_LETTERS[randomness.below(len(_LETTERS))] for _ in range(8))
    expires_at = clock.now_ms() + EXPIRES_IN_S * 1000
    device_code = OneTimeToken(
        secrets.digest(secret),
        kind=DEVICE_KIND,
        client_id=client.client_id,
        scopes=scopes,
        resources=resources or None,
        expires_at=expires_at,
        user_code=user_code,
        interval_s=INTERVAL_S,
        # Any caller can start an authorization, so its item is kept only as long as the authorization can be
        # approved.
        dies_at=expires_at // 1000,
    )
    pointer = OneTimeToken(
        _digest(user_code),
        kind=USER_CODE_KIND,
        client_id=client.client_id,
        expires_at=expires_at,
        device_digest=device_code.digest,
        dies_at=expires_at // 1000,
    )
    try:
        with models.transaction() as write:
            write.save(device_code, condition=OneTimeToken.digest.does_not_exist())
            # If the user code is already in use, generate another one: a user must not approve another user's device.
            is_free = OneTimeToken.digest.does_not_exist() | (OneTimeToken.expires_at <= clock.now_ms())
            write.save(pointer, condition=is_free)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        return start(client, scopes=scopes, resources=resources, base_url=base_url)
    formatted = _format_user_code(user_code)
    return {
        "device_code": secret,
        "user_code": formatted,
        "verification_uri": f"{base_url}/device",
        "verification_uri_complete": f"{base_url}/device?user_code={formatted}",
        "expires_in": EXPIRES_IN_S,
        "interval": INTERVAL_S,
    }


def find_pending(typed: str) -> PendingAuthorization:
    """Return the undecided authorization of the user code `typed`; raise NotFound if none exists. The code may be in
    upper or lower case.
    """
    # Ignore letters that aren't ASCII: the upper case of some of them is one of `_LETTERS`.
    letters = "".join(letter for letter in typed[:TYPED_MAX] if letter.isascii() and letter.upper() in _LETTERS).upper()
    pointer = OneTimeToken.found(_digest(letters))
    device_code = OneTimeToken.found(str(pointer.device_digest)) if pointer is not None else None
    if device_code is None:
        raise errors.NotFound("This code is incorrect. Enter the code that your device shows now.")
    client = clients.find(device_code.client_id)
    if client is None or device_code.decision is not None or device_code.expires_at <= clock.now_ms():
        raise _no_longer_pending()
    return PendingAuthorization(device_code, client)


def approve(pending: PendingAuthorization, choice: Choice) -> None:
    """Approve a device for an account of the user; raise NotFound when it was decided or expired concurrently.

    The consent isn't remembered for the authorization code flow, because the page of the device flow shows no redirect
    URI.
    """
    device_code, member = pending.device_code, choice.membership.member
    scopes, resources = set(choice.scopes), set(device_code.resources or ())
    grant = grants.new(member.account_id, member.user_id, device_code.client_id, scopes=scopes, resources=resources)
    approved: list[Action] = [
        OneTimeToken.account_id.set(member.account_id),
        OneTimeToken.member_since.set(member.since),
        OneTimeToken.scopes.set(scopes),
        OneTimeToken.grant_id.set(grant.id),
        # Keep the code's item as long as the grant's item, so that a second use of the code is always detected.
        OneTimeToken.dies_at.set(grant.dies_at),
    ]
    _decide(pending, APPROVED, member.user_id, approved, grant)


def deny(pending: PendingAuthorization, user_id: str) -> None:
    """Deny a device; raise NotFound when it was decided or expired concurrently."""
    _decide(pending, DENIED, user_id, [])


def polls_too_fast(device_code: OneTimeToken) -> bool:
    """Record a poll. Returns whether it came before the interval had passed; if so, the interval is lengthened.

    If the code is deleted concurrently, this returns True, and the response to the next poll reports the deletion.
    """
    now_ms = clock.now_ms()
    interval_s = device_code.interval_s or INTERVAL_S
    try:
        # Of two concurrent polls, one fails this condition and counts as too fast.
        OneTimeToken(device_code.digest).update(
            actions=[OneTimeToken.polled_at.set(now_ms)],
            condition=OneTimeToken.kind.exists()
            & (OneTimeToken.polled_at.does_not_exist() | (OneTimeToken.polled_at <= now_ms - interval_s * 1000)),
        )
    except UpdateError as error:
        if not models.is_condition_failure(error):
            raise
        actions: list[Action] = [
            OneTimeToken.polled_at.set(now_ms),
            OneTimeToken.interval_s.set(interval_s + SLOW_DOWN_S),
        ]
        try:
            OneTimeToken(device_code.digest).update(actions=actions, condition=OneTimeToken.kind.exists())
        except UpdateError as deleted:
            if not models.is_condition_failure(deleted):
                raise
        return True
    return False


def _decide(
    pending: PendingAuthorization, decision: str, user_id: str, more: list[Action], grant: Grant | None = None
) -> None:
    device_code, now_ms = pending.device_code, clock.now_ms()
    actions: list[Action] = [
        OneTimeToken.decision.set(decision),
        OneTimeToken.user_id.set(user_id),
        OneTimeToken.granted_at.set(now_ms),
        *more,
    ]
    with models.raise_on_condition_failure(_no_longer_pending()), models.transaction() as write:
        if grant is not None:
            write.save(grant, condition=Grant.account_id.does_not_exist())
            grants.record_event(write, grant, kinds.GRANT_CREATED, name=pending.client.name)
            client_lifetime.keep(write, pending.client)
        write.update(
            OneTimeToken(device_code.digest),
            actions=actions,
            # If two decisions are made concurrently, the first one is final.
            condition=OneTimeToken.decision.does_not_exist() & (OneTimeToken.expires_at > now_ms),
        )


def _format_user_code(user_code: str) -> str:
    return f"{user_code[:4]}-{user_code[4:]}"


def _no_longer_pending() -> errors.NotFound:
    return errors.NotFound("This code was already used or has expired. Start again on the device.")


def _digest(user_code: str) -> str:
    return secrets.digest(f"user code {user_code}")
