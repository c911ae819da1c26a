"""Secrets that were found where others can read them: what each is worth, and what is done about it.

The checksum decides first and costs nothing, then one read by digest. A key that leaked in public is revoked, since it
is everybody's then; elsewhere its account's own policy is followed. An access token is always revoked: its application
gets another. What was done is done again harmlessly; an event and a mail say it once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit, urlunsplit

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import email_sender, emails
from chalicelib.core import clock, errors, ids, secrets
from chalicelib.core.dynamodb import models
from chalicelib.credentials import revoke
from chalicelib.credentials.on_anomaly import REVOKE, TELL
from chalicelib.credentials.tables import Credential
from chalicelib.detection import leak_policy
from chalicelib.detection.leak_policy import Outcome
from chalicelib.events import actors, kinds, record
from chalicelib.limits import stale_marks

LOOKED_UP = (*secrets.API_KEY_KINDS, secrets.ACCESS_TOKEN_KIND)
"""The kinds of secret that can be found by their digest here; see `docs/leaks.md` for the others."""
BUDGET_MS = 20_000
"""How long one report is worked on: the gateway gives up at 29 s."""
URL_MAX, SOURCE_MAX = 2_000, 100
"""So much of each is told; what is longer is cut off."""
REPEATED_WITHIN_MS = clock.DAY_S * 1000
"""How long after a report it may come again because it wasn't answered with a 200."""
MOMENT_MS, MOMENT_EVENTS = 100, 10
"""How long after it is dated, and behind how many others, the event of a revocation is looked for."""
TRUE_POSITIVE, FALSE_POSITIVE = "true_positive", "false_positive"

_DONE = {
    leak_policy.TOLD: "Nothing was changed. Rotate or revoke it now, unless you are sure that nobody has read it.",
    leak_policy.NARROWED: "As you chose for such a case, it was narrowed to reading. Replace it now.",
    leak_policy.REVOKED: "It is revoked and stops working with the next request. Replace it where you use it.",
}

_OVER = "It had ended before, so there is nothing to do; but see how it got there."


@dataclass(frozen=True, slots=True)
class Alert:
    """One secret that somebody has found."""

    token: str = field(repr=False)
    type: str
    """What the sender calls this kind of secret."""
    url: str = ""
    source: str = ""
    """In what it was found, in the sender's words: `commit`, `gist_content`."""
    public: bool = True
    """Whether anybody could have read it."""


def follow_up(alerts: Iterable[Alert]) -> list[tuple[Alert, str | None]]:
    """Act on each secret once, and return each with what it turned out to be; None for kinds that aren't looked up.

    Raises Unavailable when there are too many to be acted on in time: what was done stays done, and sending them again
    goes on from there.
    """
    until_ms = clock.now_ms() + BUDGET_MS
    judged = []
    for alert in _each_once(alerts):
        labels = []
        # A reporter may send what stands around a secret, too; the secret is everybody's all the same.
        for secret in secrets.found_in(alert.token):
            if clock.now_ms() > until_ms:
                raise errors.Unavailable("Not every alert could be looked at in time. Send them again.")
            labels.append(_judged(replace(alert, token=secret)))
        judged.append((alert, _of_all(labels)))
    return judged


def _of_all(labels: list[str | None]) -> str | None:
    """Return the label of a text by those of the secrets in it."""
    known = [label for label in labels if label is not None]
    if not known and labels:
        return None
    return TRUE_POSITIVE if TRUE_POSITIVE in known else FALSE_POSITIVE


def _each_once(alerts: Iterable[Alert]) -> list[Alert]:
    """Drop repeated secrets; one that was found in public anywhere is public."""
    found: dict[str, Alert] = {}
    for alert in alerts:
        before = found.get(alert.token)
        if before is None or (alert.public and not before.public):
            found[alert.token] = alert if before is None else replace(alert, type=before.type)
    return list(found.values())


def _judged(alert: Alert) -> str | None:
    if secrets.kind_of(alert.token) not in LOOKED_UP:
        return None
    found = Credential.found(secrets.digest(alert.token))
    if found is None:
        return FALSE_POSITIVE
    outcome = _ended(found) if found.kind == "token" else leak_policy.follow(found, _chosen(found, alert))
    _tell_once(found, alert, outcome)
    return TRUE_POSITIVE


def _chosen(key: Credential, alert: Alert) -> str:
    return REVOKE if alert.public else key.on_anomaly or TELL


def _ended(token: Credential) -> Outcome:
    with actors.watch():
        changed = token.is_live() and revoke.end_token(token)
    if changed:
        stale_marks.mark(token.account_id)
    return Outcome(leak_policy.REVOKED, changed=changed)


def _tell_once(found: Credential, alert: Alert, outcome: Outcome) -> None:
    """Record what leaked and what was done, and write to its person; the same report again isn't told."""
    if found.leaked_done == outcome.done:
        return
    done = _DONE[outcome.done] if found.is_live() or _ended_just_now(found) else _OVER
    with actors.watch():
        try:
            with models.transaction() as write:
                write.update(
                    Credential(found.digest),
                    actions=[Credential.leaked_at.set(clock.now_ms()), Credential.leaked_done.set(outcome.done)],
                    # Of two reports at once one is told, and of reports that come again none.
                    condition=Credential.id.exists()
                    & (Credential.leaked_done.does_not_exist() | (Credential.leaked_done != outcome.done)),
                )
                record.add_to(write, found.account_id, kinds.KEY_LEAKED, _told(found, alert, outcome))
        except TransactWriteError as error:
            if not models.refused(error):
                raise
            return
    person = leak_policy.person_of(found.account_id)
    if person is not None:
        kind, name = ("access token", found.hint) if found.kind == "token" else ("API key", found.name)
        where = f"Found at: {_where(alert) or 'not said'}"
        link = "" if found.kind == "token" else leak_policy.link_to(found)
        email_sender.send(
            emails.leaked(person, kind=kind, name=name, hint=found.hint, where=where, done=done, link=link)
        )


def _ended_just_now(found: Credential) -> bool:
    """Tell whether an earlier report, of which nothing could be told, revoked it, and not its person."""
    if found.revoked_at is None or clock.now_ms() - found.revoked_at > REPEATED_WITHIN_MS:
        return False
    kind, what = (kinds.TOKEN_REVOKED, "token") if found.kind == "token" else (kinds.KEY_REVOKED, "key")
    before = ids.first_at("evt", found.revoked_at + MOMENT_MS)
    return any(
        (event.type, event.actor, event.changed.as_dict().get(what)) == (kind, actors.WATCH, found.id)
        for event in record.newest_first(found.account_id, MOMENT_EVENTS, before=before)
    )


def _told(found: Credential, alert: Alert, outcome: Outcome) -> dict[str, str]:
    told = {
        "token" if found.kind == "token" else "key": found.id,
        "name": found.name,
        # Looked through as a whole: of a secret that is cut in two, half would be told.
        "source": "" if secrets.found_in(alert.source) else alert.source[:SOURCE_MAX],
        "url": _where(alert),
        "public": "yes" if alert.public else "no",
        "acted": outcome.done,
    }
    return {name: text for name, text in told.items() if text}


def _where(alert: Alert) -> str:
    """Return the address without what may hold a secret: its query, its fragment, a password; "" when it is none."""
    try:
        parts = urlsplit(alert.url)
        address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return ""
    good = parts.scheme in ("https", "http") and address.isascii() and address.isprintable() and " " not in address
    return address[:URL_MAX] if good and not secrets.found_in(address) else ""
