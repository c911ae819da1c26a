"""Process leaked secrets: identify each secret, and revoke it or apply its account's policy.

The checksum is verified first, without a database call; then one read by digest finds the credential. A key that leaked
in public is revoked, and for any other leak of a key its account's policy applies. An access token is always revoked,
because its client can get another one. Processing a report again changes nothing, and the event and the email aren't
repeated.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit, urlunsplit

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import email_sender, emails, invalidation
from chalicelib.core import clock, errors, ids, secrets
from chalicelib.core.dynamodb import models
from chalicelib.credentials import recipients, revoke
from chalicelib.credentials.tables import Credential
from chalicelib.detection import leak_policy
from chalicelib.detection.leak_policy import Outcome
from chalicelib.events import actors, kinds, record

LOOKED_UP = (*secrets.API_KEY_KINDS, secrets.ACCESS_TOKEN_KIND)
"""The kinds of secret for which a credential is looked up. `docs/leaks.md` explains the other kinds."""
BUDGET_MS = 20_000
"""The maximum processing time of one report, because API Gateway times out after 29 s."""
URL_MAX, SOURCE_MAX = 2_000, 100
"""The maximum lengths of the URL and the source in events and emails; longer ones are truncated."""
REPEATED_WITHIN_MS = clock.DAY_S * 1000
"""How long after a revocation a repeated report is expected. A sender repeats a report that got no 200 response. The
earlier report may have revoked the credential without recording the leak. In that case the email says that the
credential was revoked because of the leak, and not that it was invalid before.
"""
MOMENT_MS, MOMENT_EVENTS = 100, 10
"""The event of a revocation is searched among the last `MOMENT_EVENTS` events that were recorded until `MOMENT_MS`
milliseconds after the revocation.
"""
TRUE_POSITIVE, FALSE_POSITIVE = "true_positive", "false_positive"

_ADVICE = {
    leak_policy.REPORTED: "Nothing was changed. Rotate or revoke it now unless you are sure that no one has read it.",
    leak_policy.NARROWED: "As you chose for such a case, it was reduced to read-only access. Replace it now.",
    leak_policy.REVOKED: "It was revoked and stops working with the next request. Replace it where you use it.",
}

_ADVICE_WHEN_INVALID = "It was already expired or revoked, so you need not replace it; but find out how it was exposed."


@dataclass(frozen=True, slots=True)
class Alert:
    """A reported secret."""

    token: str = field(repr=False)
    type: str
    """The name by which the sender calls this kind of secret."""
    url: str = ""
    source: str = ""
    """The kind of place where the secret was found, such as `commit` or `gist_content`, as the sender calls it."""
    public: bool = True
    """Whether the place was publicly readable."""


def follow_up(alerts: Iterable[Alert]) -> list[tuple[Alert, str | None]]:
    """Process each reported secret once; return each alert with its label.

    The label is None if the alert contains only secrets of kinds that aren't looked up. Raises Unavailable when
    `BUDGET_MS` is exceeded. If the sender then repeats the report, the remaining alerts are processed.
    """
    until_ms = clock.now_ms() + BUDGET_MS
    labelled = []
    for alert in _merge_duplicates(alerts):
        labels = []
        # The reported text may contain several secrets and also other text.
        for secret in secrets.find_secrets(alert.token):
            if clock.now_ms() > until_ms:
                raise errors.Unavailable("Not every alert could be processed in time. Send them again.")
            labels.append(_process_secret(replace(alert, token=secret)))
        labelled.append((alert, _combine_labels(labels)))
    return labelled


def _combine_labels(labels: list[str | None]) -> str | None:
    """Return the label of a reported text, given the labels of all secrets in it."""
    known = [label for label in labels if label is not None]
    if not known and labels:
        return None
    return TRUE_POSITIVE if TRUE_POSITIVE in known else FALSE_POSITIVE


def _merge_duplicates(alerts: Iterable[Alert]) -> list[Alert]:
    """Merge alerts for the same secret. If it was found in public in one place, the merged alert is public."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        earlier = found.get(alert.token)
        if earlier is None or (alert.public and not earlier.public):
            found[alert.token] = alert if earlier is None else replace(alert, type=earlier.type)
    return list(found.values())


def _process_secret(alert: Alert) -> str | None:
    if secrets.kind_of(alert.token) not in LOOKED_UP:
        return None
    found = Credential.found(secrets.digest(alert.token))
    if found is None:
        return FALSE_POSITIVE
    if found.kind == "token":
        outcome = _revoke_token(found)
    else:
        outcome = leak_policy.apply(found, leak_policy.of_leak(found, is_public=alert.public))
    _record_once(found, alert, outcome)
    return TRUE_POSITIVE


def _revoke_token(token: Credential) -> Outcome:
    with actors.watch():
        changed = token.is_live() and revoke.revoke_token(token)
    if changed:
        invalidation.mark_account(token.account_id)
    return Outcome(leak_policy.REVOKED, changed=changed)


def _record_once(found: Credential, alert: Alert, outcome: Outcome) -> None:
    """Record the leak and the action taken, and email the user, unless an earlier report did so."""
    if found.leaked_done == outcome.done:
        return
    done = _ADVICE[outcome.done] if found.is_live() or _was_revoked_by_report(found) else _ADVICE_WHEN_INVALID
    with actors.watch():
        try:
            with models.transaction() as write:
                write.update(
                    Credential(found.digest),
                    actions=[Credential.leaked_at.set(clock.now_ms()), Credential.leaked_done.set(outcome.done)],
                    # If several reports are processed concurrently or one is repeated, this condition holds for only
                    # one of them.
                    condition=Credential.id.exists()
                    & (Credential.leaked_done.does_not_exist() | (Credential.leaked_done != outcome.done)),
                )
                record.add_to(write, found.account_id, kinds.KEY_LEAKED, _event_fields(found, alert, outcome))
        except TransactWriteError as error:
            if not models.is_condition_failure(error):
                raise
            return
    for user in recipients.of_credential(found):
        kind, name = ("access token", found.hint) if found.kind == "token" else ("API key", found.name)
        where = f"Found at: {_safe_url(alert) or 'unknown location'}"
        link = "" if found.kind == "token" else leak_policy.console_url_of(found)
        email_sender.send(emails.leaked(user, kind=kind, name=name, hint=found.hint, where=where, done=done, link=link))


def _was_revoked_by_report(found: Credential) -> bool:
    """Return whether an earlier report revoked the credential but recorded no leak. False if its user revoked it."""
    if found.revoked_at is None or clock.now_ms() - found.revoked_at > REPEATED_WITHIN_MS:
        return False
    kind, what = (kinds.TOKEN_REVOKED, "token") if found.kind == "token" else (kinds.KEY_REVOKED, "key")
    before = ids.first_at("evt", found.revoked_at + MOMENT_MS)
    return any(
        (event.type, event.actor, event.changed.as_dict().get(what)) == (kind, actors.DETECTION, found.id)
        for event in record.newest_first(found.account_id, MOMENT_EVENTS, before=before)
    )


def _event_fields(found: Credential, alert: Alert, outcome: Outcome) -> dict[str, str]:
    fields = {
        "token" if found.kind == "token" else "key": found.id,
        "name": found.name,
        # Look for secrets before the text is truncated, because a truncated secret can't be recognised.
        "source": "" if secrets.find_secrets(alert.source) else alert.source[:SOURCE_MAX],
        "url": _safe_url(alert),
        "public": "yes" if alert.public else "no",
        "acted": outcome.done,
    }
    return {name: text for name, text in fields.items() if text}


def _safe_url(alert: Alert) -> str:
    """Return the URL without parts that may contain a secret (query, fragment, password).

    If it is malformed, return "".
    """
    try:
        parts = urlsplit(alert.url)
        address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return ""
    is_valid = parts.scheme in ("https", "http") and address.isascii() and address.isprintable() and " " not in address
    return address[:URL_MAX] if is_valid and not secrets.find_secrets(address) else ""
