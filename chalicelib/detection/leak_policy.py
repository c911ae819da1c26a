"""What is done with a key that behaves strangely: what its account chose, `tell` where it chose nothing.

A public leak is certain and revokes the key whatever was chosen (`detection.leaks`). For anything else a key loses
scopes, or is revoked, only where its account chose so: an ordinary change, with its event by the actor `watch`.
"""

from dataclasses import dataclass

from chalicelib.accounts import email_sender, emails, find
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import change, revoke, scopes
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.on_anomaly import NARROW, TELL
from chalicelib.credentials.tables import Credential
from chalicelib.events import actors
from chalicelib.limits import stale_marks

TOLD, NARROWED, REVOKED = "told", "narrowed", "revoked"
_IN_WORDS = {NARROWED: "narrowed to reading", REVOKED: "revoked"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a credential stands after a policy was followed."""

    done: str
    """`told`, `narrowed` or `revoked`."""
    changed: bool
    """Whether this call brought that about, and not one before it."""


def act(account_id: str, key_id: str, *, policy: str | None = None, why: str) -> str:
    """Follow the policy of a key, or the given one, and return how the key stands: `told`, `narrowed` or `revoked`.

    `why` is what was noticed, for people: "requests from a new network". It stands beside the key in the console for
    seven days, and in a mail to the account's person when the key was narrowed or revoked. Repeating it is harmless.
    Raises NotFound when the account has no such key.
    """
    key = owned_key(account_id, key_id)
    if key.is_live():
        _note(key, why)
    chosen = policy or key.on_anomaly or TELL
    # Read before it is done: what fails here is met again by the next look, and then as something still to be done.
    person = None if chosen == TELL else person_of(account_id)
    outcome = follow(key, chosen)
    if person is not None and outcome.changed:
        done, link = _IN_WORDS[outcome.done], link_to(key)
        email_sender.send(emails.key_was_stopped(person, key=key.name, hint=key.hint, why=why, done=done, link=link))
    return outcome.done


def follow(key: Credential, chosen: str) -> Outcome:
    """Do with a key what was chosen. One that can't be narrowed to `read`, since it may not read, is revoked."""
    if not key.is_live():
        return Outcome(TOLD if key.revoked_at is None else REVOKED, changed=False)
    if chosen == TELL:
        return Outcome(TOLD, changed=False)
    with actors.watch():
        if chosen == NARROW and scopes.READ in key.scopes:
            outcome = Outcome(NARROWED, change.narrow_to_read(key))
        else:
            outcome = Outcome(REVOKED, revoke.end(key))
    if outcome.changed:
        # A mark that can't be set is counted and logged there, and set again by the stream of events.
        stale_marks.mark(key.account_id)
    return outcome


def person_of(account_id: str) -> Account | None:
    """Return whom to write to; None when the account was deleted."""
    try:
        return find.account_by_id(account_id)
    except errors.NotFound:
        return None


def link_to(key: Credential) -> str:
    """Return where its person finds a key in the console; "" where nothing says under which address that is."""
    base_url = settings.current().public_url
    return f"{base_url}/settings/keys/{key.id}" if base_url else ""


def take_for_usual(key: Credential, noted_at_ms: int) -> None:
    """Take back what was noted beside a key at `noted_at_ms`: its person knows what it was. What came later stays."""
    with models.may_be_refused():
        Credential(key.digest).update(
            actions=[
                Credential.unusual.remove(),
                Credential.unusual_at.remove(),
                Credential.usual_until.set(clock.now_ms()),
            ],
            condition=Credential.unusual_at == noted_at_ms,
        )


def _note(key: Credential, why: str) -> None:
    with models.may_be_refused():
        Credential(key.digest).update(
            actions=[Credential.unusual.set(why), Credential.unusual_at.set(clock.now_ms())],
            # An expired key may be deleted at any moment, and must not come back as half an item.
            condition=Credential.id.exists(),
        )
