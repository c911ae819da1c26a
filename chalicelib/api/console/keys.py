"""Settings > API Keys: list, generate, rename, rotate and revoke keys, remove scopes, respond to unusual activity.

Only the response that creates a key contains its secret.
"""

from dataclasses import dataclass, replace

from chalicelib.accounts import unverified
from chalicelib.api.console import confirm
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.routing import scopes_by_route
from chalicelib.api.schema.fields import Enum, EnumList, Text
from chalicelib.core import clock, errors, randomness
from chalicelib.credentials import change, find, issue, on_anomaly, revoke, rotate, scopes
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.unused_scopes import PERIOD_S, Advice, advise
from chalicelib.detection import leak_policy
from chalicelib.limits import tiers
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.usage import last_used_hours, routes_used
from chalicelib.pages import labels

HOME = "/settings/keys"
NAME = Text(max_length=64)
EXPIRY = Enum(tuple(labels.EXPIRIES))
GRACE = Enum(tuple(labels.GRACES))
SCOPES = EnumList(scopes.ALL)
POLICY = Enum(on_anomaly.ALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A key as a row of the list."""

    key: Credential
    scopes: list[str]
    state: str
    last_used_ms: int | None
    advice: Advice | None = None


def show_keys(request: PageRequest) -> Render:
    """List the account's keys, newest first, and below them the expired and revoked keys."""
    account = request.user.account
    found = list(find.keys_of(account.id))
    used = last_used_hours(account.id, {counter_of(key.id) for key in found})
    advised = _advice(request, [key for key in found if key.state == "live"])
    rows = [replace(_row(key, used), advice=advised.get(key.id)) for key in reversed(found)]
    live = [row for row in rows if row.state in ("live", "retiring")]
    inactive = [row for row in rows if row.state not in ("live", "retiring")]
    return Render("keys", {"live": live, "inactive": inactive, "unverified": unverified.must_verify_email(account)})


def show_new_key(request: PageRequest) -> Render:
    """Show the form for a new key."""
    account = request.user.account
    unverified.require_verified_email(account)
    offered = [scope for scope in labels.SCOPES if scope in scopes.effective(scopes.ALL, admin=account.admin)]
    return Render("key_new", {"offered": offered, "ticket": randomness.base62(30)})


def generate(request: PageRequest) -> Render:
    """Create the key and show its secret once."""
    unverified.require_verified_email(request.user.account)
    days = labels.EXPIRIES[request.check("expiry", EXPIRY)]
    issued = issue.issue_key(
        session_principal(request),
        name=request.check("name", NAME),
        wanted=_selected_scopes(request),
        expires_in_s=None if days is None else days * 86_400,
        form=request.text("ticket"),
    )
    return Render("key_created", {"row": _row(issued.key, {}), "secret": issued.secret, "replaces": None})


def show_key(request: PageRequest, key_id: str) -> Render:
    """Show one key and its forms."""
    key, row = _find_owned(request, key_id)
    return Render("key", {"row": replace(row, advice=_advice(request, [key])[key.id])})


def rename(request: PageRequest, key_id: str) -> Redirect:
    """Rename the key."""
    change.change_key(request.user.account.id, key_id, name=request.check("name", NAME), wanted=None)
    return Redirect(f"{HOME}/{key_id}", "renamed")


def confirm_narrow(request: PageRequest, key_id: str) -> Render | Redirect:
    """Ask for confirmation before scopes are removed, which can't be undone."""
    if not request.query:
        return Redirect(f"{HOME}/{key_id}")
    key, row = _find_owned(request, key_id)
    chosen = request.parameter_values("scopes")
    left = [scope for scope in row.scopes if scope in chosen]
    if not left:
        error = errors.InvalidRequest("Select at least one scope.").about("scopes")
        return request.reject_form(error, show_key(request, key_id))
    return confirm.ask(
        confirm.Question(
            heading=f"Remove scopes from “{key.name}”?",
            consequence="From the next request, the key loses these scopes:"
            f" {_join_labels([scope for scope in row.scopes if scope not in left])}. It keeps: {_join_labels(left)}."
            " Removed scopes can't be added back.",
            action=f"{HOME}/{key_id}/narrow",
            button="Remove scopes",
            back=f"{HOME}/{key_id}",
            back_label=key.name,
            hidden={"scopes": left},
        )
    )


def narrow(request: PageRequest, key_id: str) -> Redirect:
    """Remove scopes from the key."""
    change.change_key(request.user.account.id, key_id, name=None, wanted=_selected_scopes(request))
    return Redirect(f"{HOME}/{key_id}", "narrowed")


def choose_policy(request: PageRequest, key_id: str) -> Redirect:
    """Set the response to unusual activity of the key."""
    chosen = request.check("on_anomaly", POLICY)
    change.change_key(request.user.account.id, key_id, name=None, wanted=None, on_anomaly=chosen)
    return Redirect(f"{HOME}/{key_id}", "policy-chosen")


def dismiss_alert(request: PageRequest, key_id: str) -> Redirect:
    """Dismiss the alert of the key, because the user recognises the activity."""
    key = find.owned_key(request.user.account.id, key_id)
    # Dismiss only the alert that the page showed. A newer alert remains.
    if key.unusual_at is not None and request.text("noted_at") == str(key.unusual_at):
        leak_policy.dismiss_notice(key, key.unusual_at)
    return Redirect(f"{HOME}/{key_id}", "taken-for-usual")


def confirm_rotate(request: PageRequest, key_id: str) -> Render:
    """Ask for the grace period of the old key, before the key is rotated."""
    key, row = _find_owned(request, key_id)
    question = confirm.Question(
        heading=f"Rotate “{key.name}”?",
        consequence="A new key with the same name, scopes and expiry is shown once. The old key stops working"
        " when you choose.",
        about=key.hint,
        action=f"{HOME}/{key_id}/rotate",
        button="Rotate key",
        back=f"{HOME}/{key_id}",
        back_label=key.name,
        graces=tuple(labels.GRACES),
        is_danger=False,
    )
    return confirm.ask(question, row=row)


def rotate_key(request: PageRequest, key_id: str) -> Render:
    """Rotate the key and show the secret of the new one once."""
    issued = rotate.rotate(session_principal(request), key_id, labels.GRACES[request.check("grace", GRACE)])
    _, replaced = _find_owned(request, key_id)
    return Render("key_created", {"row": _row(issued.key, {}), "secret": issued.secret, "replaces": replaced})


def confirm_revoke(request: PageRequest, key_id: str) -> Render:
    """Ask for confirmation before a key is revoked."""
    key, row = _find_owned(request, key_id)
    path = f"{HOME}/{key_id}"
    return confirm.ask(revocation(key, f"{path}/revoke", back=path, back_label=key.name), row=row)


def revocation(
    key: Credential, action: str, *, back: str, back_label: str, asks_reason: bool = False
) -> confirm.Question:
    """Return the question whether to revoke a key. The form of the question is sent to the path `action`."""
    return confirm.Question(
        heading=f"Revoke “{key.name}”?",
        consequence="The key stops working from the next request. This can't be undone.",
        about=key.hint,
        action=action,
        button="Revoke key",
        back=back,
        back_label=back_label,
        asks_reason=asks_reason,
    )


def revoke_key(request: PageRequest, key_id: str) -> Redirect:
    """Revoke the key."""
    revoke.revoke(request.user.account.id, key_id)
    return Redirect(HOME, "revoked")


def session_principal(request: PageRequest) -> Principal:
    """Return a principal with which a session can create keys. It has every scope of the account and doesn't expire."""
    account, session = request.user.account, request.user.session
    return Principal(
        account_id=account.id,
        credential_id=session.id,
        kind="session",
        scopes=scopes.effective(scopes.ALL, admin=account.admin),
        tier=tiers.BY_NAME[account.tier],
        client_id="",
        ends_at_ms=0,
        # The account was read during this request, so the principal reflects every revocation up to the account's
        # `credentials_since`.
        verified_at_ms=account.credentials_since,
        session_epoch=session.epoch,
    )


def _find_owned(request: PageRequest, key_id: str) -> tuple[Credential, Row]:
    """Return a key of the account, and its row in the list."""
    key = find.owned_key(request.user.account.id, key_id)
    return key, _row(key, last_used_hours(key.account_id, {counter_of(key.id)}))


def _advice(request: PageRequest, keys: list[Credential]) -> dict[str, Advice]:
    """Return by key id which scopes each of `keys` has used within 30 days, and which it hasn't."""
    since_s = clock.now_s() - PERIOD_S
    used = routes_used(request.user.account.id, {counter_of(key.id) for key in keys}, since_s=since_s)
    by_route = scopes_by_route(request.exchange.routes)
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


def _selected_scopes(request: PageRequest) -> list[str]:
    """Return the scopes that the form selects; raise InvalidRequest for an empty selection or an unknown scope."""
    chosen = request.form.get("scopes", [])
    if not chosen:
        raise errors.InvalidRequest("Select at least one scope.").about("scopes")
    return list(request.check("scopes", SCOPES, chosen))


def _join_labels(names: list[str]) -> str:
    return ", ".join(labels.SCOPES[name][0] if name in labels.SCOPES else name for name in names) or "none"


def _row(key: Credential, used: dict[str, int]) -> Row:
    hour = used.get(counter_of(key.id))
    return Row(key, scopes.in_order(key.scopes), key.state, None if hour is None else hour * 1000)
