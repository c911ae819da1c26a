"""Settings > API Keys: list, generate, rename, rotate and revoke keys, remove scopes, respond to unusual activity.

Only the response that creates a key contains its secret.
"""

from dataclasses import replace

from chalicelib.accounts import unverified
from chalicelib.api.console import confirm
from chalicelib.api.console.key_rows import advice_of, find_owned, rows_of, session_principal
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Enum, EnumList, Text
from chalicelib.core import errors, randomness
from chalicelib.credentials import change, find, issue, on_anomaly, revoke, rotate, scopes
from chalicelib.credentials.tables import Credential
from chalicelib.detection import leak_policy
from chalicelib.pages import labels

HOME = "/settings/keys"
NAME = Text(max_length=64)
EXPIRY = Enum(tuple(labels.EXPIRIES))
GRACE = Enum(tuple(labels.GRACES))
SCOPES = EnumList(scopes.ALL)
POLICY = Enum(on_anomaly.ALL)


def show_keys(request: PageRequest) -> Render:
    """List the account's keys, newest first, and below them the expired and revoked keys."""
    account = request.account
    found = list(find.keys_of(account.id))
    advised = advice_of(request, [key for key in found if key.state == "live"])
    rows = [replace(row, advice=advised.get(row.key.id)) for row in reversed(rows_of(request, found))]
    live = [row for row in rows if row.state in ("live", "retiring")]
    inactive = [row for row in rows if row.state not in ("live", "retiring")]
    return Render(
        "keys", {"live": live, "inactive": inactive, "unverified": unverified.must_verify_email(request.user.user)}
    )


def show_new_key(request: PageRequest) -> Render:
    """Show the form for a new key."""
    unverified.require_verified_email(request.user.user)
    allowed = session_principal(request).scopes
    offered = [scope for scope in labels.SCOPES if scope in allowed]
    return Render("key_new", {"offered": offered, "ticket": randomness.base62(30)})


def generate(request: PageRequest) -> Render:
    """Create the key and show its secret once."""
    unverified.require_verified_email(request.user.user)
    days = labels.EXPIRIES[request.check("expiry", EXPIRY)]
    issued = issue.issue_key(
        session_principal(request),
        name=request.check("name", NAME),
        wanted=_selected_scopes(request),
        expires_in_s=None if days is None else days * 86_400,
        form=request.text("ticket"),
    )
    return Render("key_created", {"row": rows_of(request, [issued.key])[0], "secret": issued.secret, "replaces": None})


def show_key(request: PageRequest, key_id: str) -> Render:
    """Show one key and its forms."""
    key, row = find_owned(request, key_id)
    return Render("key", {"row": replace(row, advice=advice_of(request, [key])[key.id])})


def rename(request: PageRequest, key_id: str) -> Redirect:
    """Rename the key."""
    _change(request, key_id, name=request.check("name", NAME))
    return Redirect(f"{HOME}/{key_id}", "renamed")


def confirm_narrow(request: PageRequest, key_id: str) -> Render | Redirect:
    """Ask for confirmation before scopes are removed, which can't be undone."""
    if not request.query:
        return Redirect(f"{HOME}/{key_id}")
    key, row = find_owned(request, key_id)
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
    _change(request, key_id, wanted=_selected_scopes(request))
    return Redirect(f"{HOME}/{key_id}", "narrowed")


def choose_policy(request: PageRequest, key_id: str) -> Redirect:
    """Set the response to unusual activity of the key."""
    chosen = request.check("on_anomaly", POLICY)
    _change(request, key_id, on_anomaly=chosen)
    return Redirect(f"{HOME}/{key_id}", "policy-chosen")


def dismiss_alert(request: PageRequest, key_id: str) -> Redirect:
    """Dismiss the alert of the key, because the user recognises the activity."""
    key = find.owned_key(request.account.id, key_id, session_principal(request))
    # Dismiss only the alert that the page showed. A newer alert remains.
    if key.unusual_at is not None and request.text("noted_at") == str(key.unusual_at):
        leak_policy.dismiss_notice(key, key.unusual_at)
    return Redirect(f"{HOME}/{key_id}", "taken-for-usual")


def confirm_rotate(request: PageRequest, key_id: str) -> Render:
    """Ask for the grace period of the old key, before the key is rotated."""
    key, row = find_owned(request, key_id)
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
    _, replaced = find_owned(request, key_id)
    return Render(
        "key_created", {"row": rows_of(request, [issued.key])[0], "secret": issued.secret, "replaces": replaced}
    )


def confirm_revoke(request: PageRequest, key_id: str) -> Render:
    """Ask for confirmation before a key is revoked."""
    key, row = find_owned(request, key_id)
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
    revoke.revoke(request.account.id, key_id, session_principal(request))
    return Redirect(HOME, "revoked")


def _change(
    request: PageRequest,
    key_id: str,
    *,
    name: str | None = None,
    wanted: list[str] | None = None,
    on_anomaly: str | None = None,
) -> None:
    by, account_id = session_principal(request), request.account.id
    change.change_key(account_id, key_id, name=name, wanted=wanted, on_anomaly=on_anomaly, manager=by)


def _selected_scopes(request: PageRequest) -> list[str]:
    """Return the scopes that the form selects; raise InvalidRequest for an empty selection or an unknown scope."""
    chosen = request.form.get("scopes", [])
    if not chosen:
        raise errors.InvalidRequest("Select at least one scope.").about("scopes")
    return list(request.check("scopes", SCOPES, chosen))


def _join_labels(names: list[str]) -> str:
    return ", ".join(labels.SCOPES[name][0] if name in labels.SCOPES else name for name in names) or "none"
