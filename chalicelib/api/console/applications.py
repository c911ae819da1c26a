"""Settings > Applications: what an account registered. Settings > Connected apps: what it said yes to."""

from dataclasses import dataclass

from chalicelib.accounts import unverified
from chalicelib.api.console import confirm
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Enum, EnumList, Text
from chalicelib.core import errors, ids, randomness
from chalicelib.credentials import scopes
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.usage import last_used_hours
from chalicelib.oauth import clients, consent, delete_client, grants

HOME = "/settings/applications"
NAME = Text(max_length=100)
KIND = Enum(("confidential", "public"))
SCOPES = EnumList((scopes.READ, scopes.WRITE))


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


def show_applications(request: PageRequest) -> Render:
    """List the account's applications."""
    return Render("applications", {"applications": list(clients.owned_by(request.person.account.id))})


def show_new_application(request: PageRequest) -> Render:
    """Show the form for a new application."""
    unverified.check_proven(request.person.account)
    return Render("application_new", {"ticket": randomness.base62(30)})


def register(request: PageRequest) -> Render:
    """Register an application and show its secret, this once."""
    account = request.person.account
    unverified.check_proven(account)
    kind = request.check("kind", KIND)
    grant_types = {clients.CODE, clients.REFRESH, clients.DEVICE}
    made = clients.register(
        name=request.check("name", NAME),
        uris=_uris(request),
        auth_method="none" if kind == "public" else "client_secret_basic",
        grant_types=grant_types if kind == "public" else grant_types | {clients.CLIENT_CREDENTIALS},
        wanted=set(_scopes(request)),
        registered_by="account",
        owner_id=account.id,
        form=request.text("ticket"),
        pkce_required=_pkce(request),
    )
    return Render("application_made", {"client": made.client, "secret": made.secret, "rotated": False})


def show_application(request: PageRequest, client_id: str) -> Render:
    """Show one application and what can be done with it."""
    return Render("application", {"client": clients.owned(request.person.account.id, client_id)})


def change(request: PageRequest, client_id: str) -> Redirect:
    """Change name, redirect URIs and whether PKCE is required."""
    unverified.check_proven(request.person.account)
    client = clients.owned(request.person.account.id, client_id)
    clients.change(client, name=request.check("name", NAME), uris=_uris(request), pkce_required=_pkce(request))
    return Redirect(f"{HOME}/{client_id}", "application-changed")


def confirm_rotate_secret(request: PageRequest, client_id: str) -> Render:
    """Ask before an application gets another secret: the old one stops at once."""
    client = clients.owned(request.person.account.id, client_id)
    return confirm.ask(
        confirm.Question(
            heading=f"Rotate the secret of “{client.name}”?",
            consequence="The old secret stops at once: the application can't get or refresh tokens until it has the new"
            " one, which is shown once. Access tokens that were issued go on working.",
            about=client.client_id,
            action=f"{HOME}/{client_id}/secret",
            hidden={"replaces": [client.secret_hint or ""]},
            button="Rotate secret",
            back=f"{HOME}/{client_id}",
            back_label=client.name,
        )
    )


def rotate_secret(request: PageRequest, client_id: str) -> Render:
    """Give the application another secret and show it, this once."""
    unverified.check_proven(request.person.account)
    client = clients.owned(request.person.account.id, client_id)
    if client.is_public:
        raise errors.Conflict("A public application has no secret.")
    # A browser that loads the answer again sends the form again: it may replace only what its user has seen.
    if request.text("replaces") != client.secret_hint:
        raise errors.Conflict("The secret was rotated already. Rotate it again only if you lost the new one.")
    secret = clients.rotate_secret(client)
    return Render("application_made", {"client": client, "secret": secret, "rotated": True})


def confirm_delete(request: PageRequest, client_id: str) -> Render:
    """Ask before an application is deleted: it is for good."""
    client = clients.owned(request.person.account.id, client_id)
    return confirm.ask(
        confirm.Question(
            heading=f"Delete “{client.name}”?",
            consequence="Everybody who allowed it is disconnected, and its tokens stop with the next request. This"
            " can't be undone.",
            about=client.client_id,
            action=f"{HOME}/{client_id}/delete",
            button="Delete application",
            back=f"{HOME}/{client_id}",
            back_label=client.name,
        )
    )


def delete(request: PageRequest, client_id: str) -> Redirect:
    """Delete the application, its grants and its tokens."""
    delete_client.delete(clients.owned(request.person.account.id, client_id))
    return Redirect(HOME, "application-deleted")


def show_connected(request: PageRequest) -> Render:
    """List what may act for the account, and then what may again without being asked for."""
    return Render("connected", {"connected": _connected(request)})


def _connected(request: PageRequest) -> list[Connected]:
    account = request.person.account
    allowed: dict[str, tuple[set[str], int]] = {}
    for grant in grants.of_account(account.id):
        if account.has_ended(grant.created_at):
            continue
        # Each device has a grant of its own: what the client may do is what any of them may.
        others, _ = allowed.get(grant.client_id, (set(), 0))
        allowed[grant.client_id] = others | set(grant.scopes), grant.created_at
    live = set(allowed)
    for remembered in consent.of_account(account):
        # What it may have again without asking counts like what it has.
        may, since_ms = allowed.get(remembered.client_id, (set(), remembered.given_at))
        allowed[remembered.client_id] = may | remembered.scopes, since_ms
    used = last_used_hours(account.id, {counter_of(client_id) for client_id in allowed})
    connected = []
    for client_id, (may, since_ms) in allowed.items():
        # One whose owner is suspended may come back, so it can be disconnected meanwhile.
        client, hour = clients.stored(client_id), used.get(counter_of(client_id))
        if client is None and ids.is_id(client_id, "app"):
            continue  # deleted, for good
        if client is not None and client.deleted_at is not None:
            continue
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
    return connected


def confirm_disconnect(request: PageRequest) -> Render:
    """Ask before an application is disconnected, or what it may have again is forgotten."""
    client_id = request.given("client_id")
    row = next((row for row in _connected(request) if row.client_id == client_id), None)
    if row is None:
        raise errors.NotFound("This application isn't connected.")
    return confirm.ask(
        confirm.Question(
            heading=f"{'Disconnect' if row.is_live else 'Forget'} “{row.name}”?",
            consequence="Its tokens stop with the next request. It has to ask for your permission again."
            if row.is_live
            else "It has no access now. It has to ask for your permission before it gets access again.",
            about=client_id,
            action="/settings/connected",
            button="Disconnect" if row.is_live else "Forget",
            back="/settings/connected",
            back_label="Connected apps",
            hidden={"client_id": [client_id]},
        )
    )


def disconnect(request: PageRequest) -> Redirect:
    """End what a client may do; its tokens stop at the next request."""
    account, client_id = request.person.account, request.text("client_id")
    if not clients.is_client_id(client_id):
        raise errors.NotFound("This application isn't connected.")
    consent.withdraw(account.id, client_id)
    return Redirect("/settings/connected", "disconnected")


def _uris(request: PageRequest) -> list[str]:
    return [uri for line in request.text("redirect_uris").split("\n") if (uri := line.strip(" \t\r"))]


def _pkce(request: PageRequest) -> bool:
    return request.text("pkce") == "required"


def _scopes(request: PageRequest) -> list[str]:
    chosen = request.form.get("scopes", [])
    if not chosen:
        raise errors.InvalidRequest("Select at least one scope.").about("scopes")
    return list(request.check("scopes", SCOPES, chosen))
