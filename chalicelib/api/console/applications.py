"""Settings > Applications: the OAuth clients that an account registered. Settings > Connected apps: the OAuth clients
that the user allowed to access the account.
"""

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
    """A client to which the user gave consent."""

    client_id: str
    name: str
    is_verified: bool
    is_live: bool
    """Whether the client can access the account now. If not, the user's consent is only remembered."""
    scopes: list[str]
    since_ms: int
    last_used_ms: int | None


def show_applications(request: PageRequest) -> Render:
    """List the account's applications."""
    return Render("applications", {"applications": list(clients.list_of_account(request.account.id))})


def show_new_application(request: PageRequest) -> Render:
    """Show the form for a new application."""
    unverified.require_verified_email(request.user.user)
    return Render("application_new", {"ticket": randomness.base62(30)})


def register(request: PageRequest) -> Render:
    """Register an application and show its secret once."""
    account, user = request.account, request.user.user
    unverified.require_verified_email(user)
    kind = request.check("kind", KIND)
    grant_types = {clients.CODE, clients.REFRESH, clients.DEVICE}
    registration = clients.register(
        name=request.check("name", NAME),
        uris=_uris(request),
        auth_method="none" if kind == "public" else "client_secret_basic",
        grant_types=grant_types if kind == "public" else grant_types | {clients.CLIENT_CREDENTIALS},
        wanted=set(_scopes(request)),
        registered_by="account",
        account_id=account.id,
        user_id=user.id,
        form=request.text("ticket"),
        pkce_required=_pkce(request),
    )
    return Render(
        "application_created", {"client": registration.client, "secret": registration.secret, "rotated": False}
    )


def show_application(request: PageRequest, client_id: str) -> Render:
    """Show one application and its forms."""
    return Render("application", {"client": clients.get_of_account(request.account.id, client_id)})


def change(request: PageRequest, client_id: str) -> Redirect:
    """Change the name and the redirect URIs of an application, and whether the client must use PKCE."""
    unverified.require_verified_email(request.user.user)
    client = clients.get_of_account(request.account.id, client_id)
    clients.update(client, name=request.check("name", NAME), uris=_uris(request), pkce_required=_pkce(request))
    return Redirect(f"{HOME}/{client_id}", "application-changed")


def confirm_rotate_secret(request: PageRequest, client_id: str) -> Render:
    """Ask for confirmation before the secret is rotated, because the old secret stops working immediately."""
    client = clients.get_of_account(request.account.id, client_id)
    return confirm.ask(
        confirm.Question(
            heading=f"Rotate the secret of “{client.name}”?",
            consequence="The old secret stops working immediately: the application can't get or refresh tokens until it"
            " has the new one, which is shown once. Access tokens that were already issued keep working.",
            about=client.client_id,
            action=f"{HOME}/{client_id}/secret",
            hidden={"replaces": [client.secret_hint or ""]},
            button="Rotate secret",
            back=f"{HOME}/{client_id}",
            back_label=client.name,
        )
    )


def rotate_secret(request: PageRequest, client_id: str) -> Render:
    """Rotate the secret of the application and show the new one once."""
    unverified.require_verified_email(request.user.user)
    client = clients.get_of_account(request.account.id, client_id)
    if client.is_public:
        raise errors.Conflict("A public application has no secret.")
    # If the user reloads the page with the new secret, the browser sends the form again. Sending it again must not
    # replace the new secret, so the form names the secret to replace.
    if request.text("replaces") != client.secret_hint:
        raise errors.Conflict("The secret has already been rotated. Rotate it again only if you lost the new one.")
    secret = clients.rotate_secret(client)
    return Render("application_created", {"client": client, "secret": secret, "rotated": True})


def confirm_delete(request: PageRequest, client_id: str) -> Render:
    """Ask for confirmation before an application is deleted."""
    client = clients.get_of_account(request.account.id, client_id)
    return confirm.ask(
        confirm.Question(
            heading=f"Delete “{client.name}”?",
            consequence="It loses access to every connected account, and its tokens stop working within 10 seconds."
            " This can't be undone.",
            about=client.client_id,
            action=f"{HOME}/{client_id}/delete",
            button="Delete application",
            back=f"{HOME}/{client_id}",
            back_label=client.name,
        )
    )


def delete(request: PageRequest, client_id: str) -> Redirect:
    """Delete the application, its grants and its tokens."""
    delete_client.delete(clients.get_of_account(request.account.id, client_id))
    return Redirect(HOME, "application-deleted")


def show_connected(request: PageRequest) -> Render:
    """List the clients that the user allowed to access the account. After these, list the clients that can get access
    without the consent page.
    """
    return Render("connected", {"connected": _list_connected(request)})


def _list_connected(request: PageRequest) -> list[Connected]:
    membership, account = request.membership, request.account
    connections: dict[str, tuple[set[str], int]] = {}
    for grant in grants.of_user(membership.user.id, account.id):
        if grant.created_at < consent.valid_since_ms(membership):
            continue
        # A client may have several grants, one for each device. Its scopes are the scopes of all of them.
        others, _ = connections.get(grant.client_id, (set(), 0))
        connections[grant.client_id] = others | set(grant.scopes), grant.created_at
    live = set(connections)
    for remembered in consent.of_membership(membership):
        # A client can get the scopes of a remembered consent without the consent page, so they are listed with its
        # current scopes.
        granted, since_ms = connections.get(remembered.client_id, (set(), remembered.given_at))
        connections[remembered.client_id] = granted | remembered.scopes, since_ms
    used = last_used_hours(account.id, {counter_of(client_id) for client_id in connections})
    connected = []
    for client_id, (granted, since_ms) in connections.items():
        # A client whose own account is suspended is listed, too, because it works again once that account is
        # reinstated.
        client, hour = clients.find_any(client_id), used.get(counter_of(client_id))
        if client is None and ids.is_id(client_id, "app"):
            continue  # a registered client that isn't found was deleted
        if client is not None and client.deleted_at is not None:
            continue
        connected.append(
            Connected(
                client_id,
                # The client of a metadata document may have been removed by the TTL while the consent is still stored.
                # The client's id, which is the document's URL, is then shown as its name.
                name=client_id if client is None else client.name,
                is_verified=client is not None and client.registered_by == "account",
                is_live=client_id in live,
                scopes=scopes.in_order(granted),
                since_ms=since_ms,
                last_used_ms=None if hour is None else hour * 1000,
            )
        )
    return connected


def confirm_disconnect(request: PageRequest) -> Render:
    """Ask for confirmation before a client is disconnected or its remembered consent is forgotten."""
    client_id = request.text_or_parameter("client_id")
    row = next((row for row in _list_connected(request) if row.client_id == client_id), None)
    if row is None:
        raise errors.NotFound("This app isn't connected.")
    return confirm.ask(
        confirm.Question(
            heading=f"{'Disconnect' if row.is_live else 'Forget'} “{row.name}”?",
            consequence="Its tokens stop working from the next request. It has to ask for your permission again."
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
    """Withdraw the consent of a client; its tokens stop working from the next request."""
    membership, client_id = request.membership, request.text("client_id")
    if not clients.is_client_id(client_id):
        raise errors.NotFound("This app isn't connected.")
    consent.withdraw(membership.user.id, membership.account.id, client_id)
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
