"""Every page and form of the console, taken from the app's routes so that new pages are tested automatically."""

from dataclasses import dataclass

from chalicelib.accounts import email_links, invitations, roles, sessions
from chalicelib.api import routing
from chalicelib.api.console import render_response
from chalicelib.webhooks import deliver, endpoints
from chalicelib.webhooks.tables import Delivery, Endpoint
from infra.routes import of_latchkey
from tests.support.console_client import CALLER, ORIGIN, ConsoleClient, log_in_as, new_account
from tests.support.harness import AccountOfTest, TestApp


def _all(method: str) -> list[str]:
    routes = [routing.route_of(entries.get(method)) for entries in of_latchkey().values()]
    return [
        route.path
        for route in routes
        if route.error_response is render_response.plain_error_page
        and not route.view_name[1].startswith("redirect_to_")
    ]


SHOWN, FORMS = _all("GET"), _all("POST")
"""The paths of the pages, and the paths to which forms are sent."""


@dataclass(frozen=True, slots=True)
class Place:
    """An administrator with a key, a webhook delivery and unused links."""

    admin: AccountOfTest
    console: ConsoleClient
    ids: dict[str, str]
    tickets: dict[str, str]

    def path(self, route: str) -> str:
        """Return the path of a route with existing ids and, if needed, a one-time token."""
        filled = route.format(**self.ids)
        return f"{filled}?ticket={self.tickets[filled]}" if filled in self.tickets else filled


def create_place(latchkey: TestApp) -> Place:
    """Create an administrator for whom every page has content."""
    admin = new_account(name="Root", admin=True)
    key = latchkey.key(admin)
    tickets = {
        "/verify": email_links.new_link(
            admin.user_id, email_links.VERIFY_EMAIL, email=admin.email, epoch=admin.user.session_epoch
        ),
        "/password": email_links.new_link(
            admin.user_id, email_links.SET_PASSWORD, email=admin.email, epoch=admin.user.session_epoch
        ),
    }
    sent, invited = create_failed_delivery(admin), create_invitation(admin)
    tickets["/invitation"] = invited.link
    console = log_in_as(latchkey, admin)
    ids = {
        "key_id": key.key.id,
        "account_id": admin.id,
        "client_id": "app_00000000000000000000",
        "webhook_id": sent.endpoint_id,
        "message_id": sent.id,
        "user_id": latchkey.member(admin, roles.VIEWER).user_id,
        "invitation_id": invited.invitation.id,
        "session_id": sessions.of_user(admin.user, 1)[0][0].id,
    }
    return Place(admin, console, ids, tickets)


def create_invitation(account: AccountOfTest) -> invitations.Invited:
    """Create an invitation to an account."""
    return invitations.invite(
        account.membership.manager,
        email="invited@example.com",
        role=roles.VIEWER,
        networks=CALLER.networks,
        base_url=ORIGIN,
    )


def create_failed_delivery(account: AccountOfTest, name: str = "Ledger") -> Delivery:
    """Create a webhook with a private address, to which nothing may be sent, and return its failed test delivery."""
    created = endpoints.create(
        account.id, url="https://hooks.example.com/", name=name, types=None, user_id=account.user_id
    )
    Endpoint(account.id, created.id).update(actions=[Endpoint.url.set("https://127.0.0.1/")])
    return deliver.send_test(endpoints.find_owned(account.id, created.id))
