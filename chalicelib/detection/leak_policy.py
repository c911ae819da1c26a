"""The policy for a key that leaked or was used unusually. A key that leaked in public is revoked; otherwise the account
decides.

By default the account is only notified (`tell`). An account may choose that scopes are removed or the key is revoked.
Such a change is recorded like any other, with the actor `watch`.
"""

from dataclasses import dataclass

from chalicelib.accounts import email_sender, emails, invalidation
from chalicelib.core import clock, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import change, recipients, revoke, scopes
from chalicelib.credentials.find import owned_key
from chalicelib.credentials.on_anomaly import NARROW, REVOKE, TELL
from chalicelib.credentials.tables import Credential
from chalicelib.events import actors

REPORTED, NARROWED, REVOKED = "told", "narrowed", "revoked"
_DONE_LABELS = {NARROWED: "reduced to read-only access", REVOKED: "revoked"}


def of_leak(key: Credential, *, is_public: bool) -> str:
    """Return the policy for a leaked key. After a public leak it is revoked, regardless of the account's choice."""
    return REVOKE if is_public else key.on_anomaly or TELL


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of applying a policy to a credential."""

    done: str
    """The state of the credential: `told` (unchanged, only reported), `narrowed` or `revoked`."""
    changed: bool
    """Whether this call changed the credential. False if it was changed earlier or is unchanged."""


def act(account_id: str, key_id: str, *, policy: str | None = None, why: str) -> str:
    """Apply `policy`, or by default the key's own policy; return the result: `told`, `narrowed` or `revoked`.

    `why` describes the observation, for example "requests from a new network". The console shows it with the key for
    seven days. If the key lost scopes or was revoked, it is also emailed to its user and the owners. Idempotent.
    Raises NotFound if the key doesn't exist.
    """
    key = owned_key(account_id, key_id)
    if key.is_live():
        _record_notice(key, why)
    chosen = policy or key.on_anomaly or TELL
    # Read the recipients before the change. If this fails, nothing is changed yet, and the next run can still send the
    # emails.
    notified = [] if chosen == TELL else recipients.of_credential(key)
    outcome = apply(key, chosen)
    if outcome.changed:
        done, link = _DONE_LABELS[outcome.done], console_url_of(key)
        for user in notified:
            email_sender.send(emails.anomaly_handled(user, key=key.name, hint=key.hint, why=why, done=done, link=link))
    return outcome.done


def apply(key: Credential, policy: str) -> Outcome:
    """Apply a policy to a key.

    If the policy is to keep only the scope `read` and the key lacks it, the key is revoked.
    """
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
        # If this fails, `mark` counts and logs the failure, and the consumer of the event stream sets the mark later.
        invalidation.mark_account(key.account_id)
    return outcome


def console_url_of(key: Credential) -> str:
    """Return the URL of a key's page in the console, or "" if no public URL is configured."""
    base_url = settings.current().public_url
    return f"{base_url}/settings/keys/{key.id}" if base_url else ""


def dismiss_notice(key: Credential, noted_at_ms: int) -> None:
    """Dismiss the notice that a key has had since `noted_at_ms`. If it has a newer notice, nothing is dismissed."""
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
            # DynamoDB may delete an expired key at any moment. Without the condition, the update would then create a
            # partial item.
            condition=Credential.id.exists(),
        )
