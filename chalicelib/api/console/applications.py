"""Settings > Applications: what an account registered. Settings > Connected apps: what it said yes to."""

from dataclasses import dataclass

from chalicelib.accounts import links
from chalicelib.api.console.frame import Gone, Shown, Visit
from chalicelib.api.fields import OneOf, SomeOf, Text
from chalicelib.core import errors, ids, randomness
from chalicelib.credentials import scopes
from chalicelib.limits.usage import last_used_hours
from chalicelib.limits.windows import counter_of
from chalicelib.oauth import clients, consent, grants

NAME = Text(most=100)
KIND = OneOf(("confidential", "public"))
SCOPES = SomeOf((scopes.READ, scopes.WRITE))


@dataclass(frozen=True, slots=True)
class Connected:
    """A client that an account said yes to."""

    client_id: str
    name: str
    is_verified: bool
    is_live: bool
    """Whether it may act now; else its yes is only remembered."""
    scopes: list[str]
    since_ms: int
    last_used_ms: int | None


def show_applications(visit: Visit) -> Shown:
    """List the account's applications."""
    return Shown("applications", {"applications": list(clients.owned_by(visit.person.account.id))})


def show_new_application(visit: Visit) -> Shown:
    """Show the form for a new application."""
    links.check_proven(visit.person.account)
    return _new_form(visit, problem=None, status=200)


def register(visit: Visit) -> Shown:
    """Register an application and show its secret, this once."""
    account = visit.person.account
    links.check_proven(account)
    try:
        kind = KIND.check("The kind", visit.text("kind"))
        grant_types = {clients.CODE, clients.REFRESH, clients.DEVICE}
        made = clients.register(
            name=NAME.check("The name", visit.text("name")),
            uris=_uris(visit),
            auth_method="none" if kind == "public" else "client_secret_basic",
            grant_types=grant_types if kind == "public" else grant_types | {clients.CLIENT_CREDENTIALS},
            wanted=set(SCOPES.check("The scopes", visit.form.get("scopes", []))),
            registered_by="account",
            owner_id=account.id,
            form=visit.text("ticket"),
            pkce_required=_pkce(visit),
        )
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _new_form(visit, problem=error.message, status=error.status)
    return Shown("application_made", {"client": made.client, "secret": made.secret, "rotated": False})


def show_application(visit: Visit, client_id: str) -> Shown:
    """Show one application and what can be done with it."""
    return _page(visit, client_id, problem=None, status=200)


def change(visit: Visit, client_id: str) -> Shown | Gone:
    """Change name, redirect URIs and whether PKCE is required."""
    links.check_proven(visit.person.account)
    client = clients.owned(visit.person.account.id, client_id)
    try:
        name = NAME.check("The name", visit.text("name"))
        clients.change(client, name=name, uris=_uris(visit), pkce_required=_pkce(visit))
    except errors.InvalidRequest as error:
        return _page(visit, client_id, problem=error.message, status=error.status)
    return Gone(f"/settings/applications/{client_id}", "application-changed")


def rotate_secret(visit: Visit, client_id: str) -> Shown:
    """Give the application another secret and show it, this once."""
    links.check_proven(visit.person.account)
    client = clients.owned(visit.person.account.id, client_id)
    if client.is_public:
        return _page(visit, client_id, problem="A public application has no secret.", status=409)
    try:
        # A browser that loads the answer again sends the form again: it may replace only what its person has seen.
        if visit.text("replaces") != client.secret_hint:
            raise errors.Conflict("The secret was rotated already. Rotate it again only if you lost the new one.")
        secret = clients.rotate_secret(client)
    except errors.Conflict as error:
        return _page(visit, client_id, problem=error.message, status=error.status)
    return Shown("application_made", {"client": client, "secret": secret, "rotated": True})


def delete(visit: Visit, client_id: str) -> Gone:
    """Delete the application, its grants and its tokens."""
    clients.delete(clients.owned(visit.person.account.id, client_id))
    return Gone("/settings/applications", "application-deleted")


def show_connected(visit: Visit) -> Shown:
    """List what may act for the account, and then what may again without being asked for."""
    account = visit.person.account
    allowed: dict[str, tuple[set[str], int]] = {}
    for grant in grants.of_account(account.id):
        if account.has_ended(grant.created_at):
            continue
        # Each device has a grant of its own: what the client may do is what any of them may.
        others, _ = allowed.get(grant.client_id, (set(), 0))
        allowed[grant.client_id] = others | set(grant.scopes), grant.created_at
    live = set(allowed)
    for remembered in consent.of_account(account):
        allowed.setdefault(remembered.client_id, (set(remembered.scopes), remembered.given_at))
    used = last_used_hours(account.id, {counter_of(client_id) for client_id in allowed})
    connected = []
    for client_id, (may, since_ms) in allowed.items():
        client, hour = clients.find(client_id), used.get(counter_of(client_id))
        if client is None and ids.is_id(client_id, "app"):
            continue  # deleted, for good
        connected.append(
            Connected(
                client_id,
                # What a metadata document said is forgotten some time; its client can come again all the same.
                name=client_id if client is None else client.name,
                is_verified=client is not None and client.registered_by == "account",
                is_live=client_id in live,
                scopes=scopes.in_order(may),
                since_ms=since_ms,
                last_used_ms=None if hour is None else hour * 1000,
            )
        )
    return Shown("connected", {"connected": connected})


def disconnect(visit: Visit) -> Gone:
    """End what a client may do; its tokens stop at the next request."""
    consent.withdraw(visit.person.account.id, visit.text("client_id"))
    return Gone("/settings/connected", "disconnected")


def _uris(visit: Visit) -> list[str]:
    return [uri for line in visit.text("redirect_uris").split("\n") if (uri := line.strip(" \t\r"))]


def _pkce(visit: Visit) -> bool:
    return visit.text("pkce") == "required"


def _new_form(visit: Visit, *, problem: str | None, status: int) -> Shown:
    matter = {
        "name": visit.text("name"),
        "redirect_uris": visit.text("redirect_uris"),
        "kind": visit.text("kind") or "confidential",
        "pkce": _pkce(visit),
        "chosen": visit.form.get("scopes", [scopes.READ]),
        "problem": problem,
        "ticket": randomness.base62(30),
    }
    return Shown("application_new", matter, status)


def _page(visit: Visit, client_id: str, *, problem: str | None, status: int) -> Shown:
    client = clients.owned(visit.person.account.id, client_id)
    return Shown("application", {"client": client, "problem": problem}, status)
