"""Every page of the console, from the app itself: one that is added is tested with the others."""

from dataclasses import dataclass

from chalicelib.accounts import email_links, sessions
from chalicelib.accounts.tables import Account
from chalicelib.api import routing
from chalicelib.api.console import render_response
from chalicelib.webhooks import deliver, endpoints
from chalicelib.webhooks.tables import Delivery, Endpoint
from infra.routes import of_latchkey
from tests.support.console_client import ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp


def _all(method: str) -> list[str]:
    routes = [routing.route_of(entries.get(method)) for entries in of_latchkey().values()]
    return [
        route.path
        for route in routes
        if route.error_response is render_response.plain_error_page and not route.view_name[1].startswith("lead_to_")
    ]


SHOWN, FORMS = _all("GET"), _all("POST")
"""The paths that show a page, and those that take a form."""


@dataclass(frozen=True, slots=True)
class Place:
    """A house with someone to look at: an admin, with a key and a link on the way."""

    admin: Account
    console: ConsoleClient
    ids: dict[str, str]
    tickets: dict[str, str]

    def path(self, route: str) -> str:
        """Return a route with the ids of what there is in it, and the ticket that it takes."""
        filled = route.format(**self.ids)
        return f"{filled}?ticket={self.tickets[filled]}" if filled in self.tickets else filled


def place(latchkey: TestApp) -> Place:
    """Return a place with something on every page."""
    admin = new_account(name="Root", admin=True)
    key = latchkey.key(admin)
    tickets = {
        "/verify": email_links.new_link(
            admin.id, email_links.VERIFY_EMAIL, email=admin.email, epoch=admin.session_epoch
        ),
        "/password": email_links.new_link(
            admin.id, email_links.SET_PASSWORD, email=admin.email, epoch=admin.session_epoch
        ),
    }
    sent = told_to_nobody(admin)
    console = log_in_as(latchkey, admin)
    ids = {
        "key_id": key.key.id,
        "account_id": admin.id,
        "client_id": "app_00000000000000000000",
        "webhook_id": sent.endpoint_id,
        "message_id": sent.id,
        "session_id": sessions.of_account(admin, 1)[0][0].id,
    }
    return Place(admin, console, ids, tickets)


def told_to_nobody(account: Account, name: str = "Ledger") -> Delivery:
    """Return a delivery that failed, to a webhook whose address nothing is ever sent to."""
    made = endpoints.create(account.id, url="https://hooks.example.com/", name=name, types=None)
    Endpoint(account.id, made.id).update(actions=[Endpoint.url.set("https://127.0.0.1/")])
    return deliver.send_test(endpoints.owned(account.id, made.id))
