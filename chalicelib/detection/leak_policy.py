"""The policy for a leaked or unusually used key: it is revoked after a public leak, otherwise its account decides.

By default the account is only notified (`tell`). It may choose that the key loses scopes or is revoked; this is an
ordinary change, recorded with the actor `watch`.
"""

from dataclasses import dataclass

from chalicelib.accounts import email_sender, emails, find
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import change, revoke, scopes
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.on_anomaly import NARROW, REVOKE, TELL
from chalicelib.credentials.tables import Credential
from chalicelib.events import actors
from chalicelib.limits import stale_marks

REPORTED, NARROWED, REVOKED = "told", "narrowed", "revoked"
_DONE_LABELS = {NARROWED: "reduced to read-only access", REVOKED: "revoked"}


def of_leak(key: Credential, *, is_public: bool) -> str:
    """Return the policy for a leaked key: it is revoked after a public leak, whatever its account chose."""
    return REVOKE if is_public else key.on_anomaly or TELL


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a credential after a policy was applied."""

    done: str
    """The result: `told`, `narrowed` or `revoked`."""
    changed: bool
    """Whether this call made the change, and not an earlier one."""


def act(account_id: str, key_id: str, *, policy: str | None = None, why: str) -> str:
    """Apply the policy of a key, or the given one, and return the result: `told`, `narrowed` or `revoked`.

    `why` describes the observation: "requests from a new network". It is shown with the key in the console for seven
    days, and emailed to the user when the key lost scopes or was revoked. Idempotent. Raises NotFound if the key
    doesn't exist.
    """
    key = owned_key(account_id, key_id)
    if key.is_live():
        _record_notice(key, why)
    chosen = policy or key.on_anomaly or TELL
    # Read the account before the change: if this fails, the next run can still make the change and send the email.
    account = None if chosen == TELL else find_account(account_id)
    outcome = apply(key, chosen)
    if account is not None and outcome.changed:
        done, link = _DONE_LABELS[outcome.done], console_url_of(key)
        email_sender.send(emails.anomaly_handled(account, key=key.name, hint=key.hint, why=why, done=done, link=link))
    return outcome.done


def apply(key: Credential, policy: str) -> Outcome:
    """Apply a policy to a key. If it would reduce a key without the scope `read` to that scope, the key is revoked."""
    if not key.is_live():
        return Outcome(REPORTED if key.revoked_at is None else REVOKED, changed=False)
    if policy == TELL:
        return Outcome(REPORTED, changed=False)
    with actors.watch():
        if policy == NARROW and scopes.READ in key.scopes:
            outcome = Outcome(NARROWED, change.narrow_to_read(key))
        else:
            outcome = Outcome(REVOKED, revoke.revoke_key(key))
    if outcome.changed:
        # `mark` counts and logs a failure; the consumer of the event stream then sets the mark.
        stale_marks.mark(key.account_id)
    return outcome


def find_account(account_id: str) -> Account | None:
    """Return the account that gets the email; None when it was deleted."""
    try:
        return find.account_by_id(account_id)
    except errors.NotFound:
        return None


def console_url_of(key: Credential) -> str:
    """Return the URL of a key in the console; "" without a configured public URL."""
    base_url = settings.current().public_url
    return f"{base_url}/settings/keys/{key.id}" if base_url else ""


def dismiss_notice(key: Credential, noted_at_ms: int) -> None:
    """Dismiss the notice that a key has shown since `noted_at_ms`, for its user. A later notice isn't dismissed."""
    with models.ignore_condition_failure():
        Credential(key.digest).update(
            actions=[
                Credential.unusual.remove(),
                Credential.unusual_at.remove(),
                Credential.usual_until.set(clock.now_ms()),
            ],
            condition=Credential.unusual_at == noted_at_ms,
        )


def _record_notice(key: Credential, why: str) -> None:
    with models.ignore_condition_failure():
        Credential(key.digest).update(
            actions=[Credential.unusual.set(why), Credential.unusual_at.set(clock.now_ms())],
            # An expired key may be deleted at any moment; the update must not create a partial item.
            condition=Credential.id.exists(),
        )
