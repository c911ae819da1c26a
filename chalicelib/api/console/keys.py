"""Settings > API Keys: list, generate, rename, narrow, rotate, revoke, choose what is done when something is unusual.

A secret is in the one answer that made it.
"""

from dataclasses import dataclass, replace

from chalicelib.accounts import links
from chalicelib.api.console.frame import Gone, Shown, Visit
from chalicelib.api.edge import scopes_by_route
from chalicelib.api.fields import OneOf, SomeOf, Text
from chalicelib.core import clock, errors, randomness
from chalicelib.credentials import change, find, issue, on_anomaly, revoke, rotate, scopes
from chalicelib.credentials.advice import LOOKED_BACK_S, Advice, advise
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verdict import Verdict
from chalicelib.limits import tiers
from chalicelib.limits.usage import last_used_hours, routes_used
from chalicelib.limits.windows import counter_of
from chalicelib.pages import words
from chalicelib.watch import policy

NAME = Text(most=64)
EXPIRY = OneOf(tuple(words.EXPIRIES))
GRACE = OneOf(tuple(words.GRACES))
SCOPES = SomeOf(scopes.ALL)
POLICY = OneOf(on_anomaly.ALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A key as the list shows it."""

    key: Credential
    scopes: list[str]
    state: str
    last_used_ms: int | None
    advice: Advice | None = None


def show_keys(visit: Visit) -> Shown:
    """List the account's keys, the newest first; ended ones below."""
    account = visit.person.account
    found = list(find.keys_of(account.id))
    used = last_used_hours(account.id, {counter_of(key.id) for key in found})
    advised = _advice(visit, [key for key in found if key.state == "live"])
    rows = [replace(_row(key, used), advice=advised.get(key.id)) for key in reversed(found)]
    live = [row for row in rows if row.state in ("live", "retiring")]
    ended = [row for row in rows if row.state not in ("live", "retiring")]
    return Shown("keys", {"live": live, "ended": ended, "unverified": links.is_unproven(account)})


def show_new_key(visit: Visit) -> Shown:
    """Show the form for a new key."""
    links.check_proven(visit.person.account)
    return _new_key_form(visit, name="", chosen=["read"], expiry="90 days", problem=None, status=200)


def generate(visit: Visit) -> Shown:
    """Make the key and show its secret, this once."""
    links.check_proven(visit.person.account)
    name, chosen, expiry = visit.text("name"), visit.form.get("scopes", []), visit.text("expiry")
    try:
        days = words.EXPIRIES[EXPIRY.check("The expiry", expiry)]
        issued = issue.issue_key(
            maker(visit),
            name=NAME.check("The name", name),
            wanted=_wanted(visit),
            expires_in_s=None if days is None else days * 86_400,
            form=visit.text("ticket"),
        )
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _new_key_form(visit, name=name, chosen=chosen, expiry=expiry, problem=error.message, status=error.status)
    return Shown("key_made", {"row": _row(issued.key, {}), "secret": issued.secret, "replaces": None})


def show_key(visit: Visit, key_id: str) -> Shown:
    """Show one key and what can be done with it."""
    return _key_page(visit, key_id, problem=None, status=200)


def rename(visit: Visit, key_id: str) -> Shown | Gone:
    """Give the key another name."""
    try:
        name = NAME.check("The name", visit.text("name"))
        change.change_key(visit.person.account.id, key_id, name=name, wanted=None)
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _key_page(visit, key_id, problem=error.message, status=error.status)
    return Gone(f"/settings/keys/{key_id}", "renamed")


def narrow(visit: Visit, key_id: str) -> Shown | Gone:
    """Take scopes away from the key."""
    try:
        change.change_key(visit.person.account.id, key_id, name=None, wanted=_wanted(visit))
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _key_page(visit, key_id, problem=error.message, status=error.status)
    return Gone(f"/settings/keys/{key_id}", "narrowed")


def choose_policy(visit: Visit, key_id: str) -> Shown | Gone:
    """Choose what is done when the key behaves strangely."""
    try:
        chosen = POLICY.check("What is done", visit.text("on_anomaly"))
        change.change_key(visit.person.account.id, key_id, name=None, wanted=None, on_anomaly=chosen)
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _key_page(visit, key_id, problem=error.message, status=error.status)
    return Gone(f"/settings/keys/{key_id}", "policy-chosen")


def take_for_usual(visit: Visit, key_id: str) -> Gone:
    """Show what was noticed about the key no longer: its person knows what it was."""
    key = find.owned_key(visit.person.account.id, key_id)
    # Something else may have been noticed since the page was shown, and was not seen yet.
    if key.unusual_at is not None and visit.text("noted_at") == str(key.unusual_at):
        policy.take_for_usual(key, key.unusual_at)
    return Gone(f"/settings/keys/{key_id}", "taken-for-usual")


def rotate_key(visit: Visit, key_id: str) -> Shown:
    """Replace the key and show the new one's secret, this once."""
    try:
        grace_s = words.GRACES[GRACE.check("The grace", visit.text("grace"))]
        issued = rotate.rotate(maker(visit), key_id, grace_s)
    except (errors.InvalidRequest, errors.Conflict, errors.InsufficientScope) as error:
        return _key_page(visit, key_id, problem=error.message, status=error.status)
    replaced = find.owned_key(visit.person.account.id, key_id)
    used = last_used_hours(replaced.account_id, {counter_of(replaced.id)})
    return Shown("key_made", {"row": _row(issued.key, {}), "secret": issued.secret, "replaces": _row(replaced, used)})


def confirm_revoke(visit: Visit, key_id: str) -> Shown:
    """Ask before a key is revoked: it is for good."""
    account = visit.person.account
    key = find.owned_key(account.id, key_id)
    return Shown("key_revoke", {"row": _row(key, last_used_hours(account.id, {counter_of(key.id)}))})


def revoke_key(visit: Visit, key_id: str) -> Gone:
    """Revoke the key."""
    revoke.revoke(visit.person.account.id, key_id)
    return Gone("/settings/keys", "revoked")


def maker(visit: Visit) -> Verdict:
    """Return the person as a maker of keys: with every scope the account may have, and no end of its own."""
    account, session = visit.person.account, visit.person.session
    return Verdict(
        account_id=account.id,
        credential_id=session.id,
        kind="session",
        scopes=scopes.held_by(scopes.ALL, admin=account.admin),
        tier=tiers.BY_NAME[account.tier],
        client_id="",
        ends_at_ms=0,
        # The account as it was read has seen what ended credentials up to then, and nothing later.
        verified_at_ms=account.credentials_since,
        session_epoch=session.epoch,
    )


def _key_page(visit: Visit, key_id: str, *, problem: str | None, status: int) -> Shown:
    account = visit.person.account
    key = find.owned_key(account.id, key_id)
    row = replace(_row(key, last_used_hours(account.id, {counter_of(key.id)})), advice=_advice(visit, [key])[key.id])
    return Shown("key", {"row": row, "problem": problem}, status)


def _advice(visit: Visit, keys: list[Credential]) -> dict[str, Advice]:
    """Return what each of `keys` has used in 30 days, by its id."""
    since_s = clock.now_s() - LOOKED_BACK_S
    used = routes_used(visit.person.account.id, {counter_of(key.id) for key in keys}, since_s=since_s)
    by_route = scopes_by_route(visit.exchange.routes)
    return {
        key.id: advise(
            key.scopes,
            used[counter_of(key.id)],
            by_route,
            age_s=clock.now_s() - key.created_at // 1000,
            rotated=key.predecessor_digest is not None,
        )
        for key in keys
    }


def _new_key_form(
    visit: Visit, *, name: str, chosen: list[str], expiry: str, problem: str | None, status: int
) -> Shown:
    offered = [scope for scope in words.SCOPES if scope in scopes.held_by(scopes.ALL, admin=visit.person.account.admin)]
    matter = {
        "name": name,
        "offered": offered,
        "chosen": chosen,
        "expiry": expiry,
        "problem": problem,
        "ticket": randomness.base62(30),
    }
    return Shown("key_new", matter, status)


def _wanted(visit: Visit) -> list[str]:
    """Return the scopes that were chosen; raise InvalidRequest for none, and for what is no scope."""
    chosen = visit.form.get("scopes", [])
    if not chosen:
        raise errors.InvalidRequest("Choose one scope or more.")
    return SCOPES.check("The scopes", chosen)


def _row(key: Credential, used: dict[str, int]) -> Row:
    hour = used.get(counter_of(key.id))
    return Row(key, scopes.in_order(key.scopes), key.state, None if hour is None else hour * 1000)
