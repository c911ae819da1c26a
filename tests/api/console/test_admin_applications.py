"""Admin pages for OAuth clients: every client is found by its id and can be deleted with a reason."""

from urllib.parse import quote

import pytest

from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from tests.oauth.flow import CALLBACK, CODE, User, as_json, is_accepted, new_user, register_client
from tests.support.console_client import log_in_as, new_account
from tests.support.harness import TestApp

HOME = "/admin/applications"
DOCUMENT = "https://app.example.com/client.json"


def root(latchkey: TestApp) -> User:
    """Return an administrator who is logged in."""
    return new_user(latchkey, "Root", admin=True)


def at(client_id: str, path: str = HOME) -> str:
    """Return the path of the page of a client."""
    return f"{path}?client_id={quote(client_id, safe='')}"


def test_client_of_an_account_is_found_by_its_id(latchkey: TestApp) -> None:
    """The page of a client shows its name, account, redirect URIs and state, but none of its secrets."""
    owner = new_account()
    app = register_client(latchkey, owner=owner)
    page = root(latchkey).open(at(f" {app.id} "))
    assert (page.status, page.problem) == (200, "")
    for shown in (app.id, "Photos", "By an account", owner.id, CALLBACK, "Active"):
        assert shown in page.text, shown
    assert f"/admin/accounts/{owner.id}" in page.urls
    assert str(app.secret) not in page.html
    assert str(app.client.secret_digest) not in page.html


def test_dynamically_registered_client_is_found_and_ended(latchkey: TestApp) -> None:
    """A dynamically registered client, which has no account, gets no tokens after its deletion."""
    created = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "grant_types": [CODE]}).json()
    console = root(latchkey)
    page = console.open(at(created["client_id"]))
    assert "Dynamic client registration" in page.text
    assert not [url for url in page.urls if "/admin/accounts/" in url]
    ended = console.submit(
        f"{HOME}/end", on=at(created["client_id"]), client_id=created["client_id"], reason="Phishing"
    )
    shown = console.follow(ended)
    assert shown.notice == "Application deleted. Its tokens stop working within 10 seconds."
    assert "Deleted" in shown.text
    client = Client.get(created["client_id"])
    assert (client.ended_by, client.ended_because) == (console.account.user_id, "Phishing")
    assert clients.find(created["client_id"]) is None
    assert not [url for url in shown.urls if "/end?" in url]


def test_tokens_of_an_ended_client_stop_and_its_account_sees_an_administrator(latchkey: TestApp) -> None:
    """The event of a deletion shows name and reason to administrators, and only the role to the client's account."""
    owner, ada, console = new_account(), new_user(latchkey), root(latchkey)
    app = register_client(latchkey, owner=owner)
    token, _ = ada.grant(app)
    assert is_accepted(latchkey, token)
    assert console.submit(f"{HOME}/end", on=at(app.id), client_id=app.id, reason="Phishing").status == 303
    assert not is_accepted(latchkey, token)
    (event,) = record.newest_first(owner.id, 10, kind=kinds.APPLICATION_DELETED)
    assert (event.actor, event.reason) == (console.account.user_id, "Phishing")
    shown = record.render(event)
    assert (shown["actor"], shown["reason"]) == ("admin", None)


def test_document_that_was_never_fetched_can_be_ended_by_its_url(latchkey: TestApp) -> None:
    """A client can be deleted by the URL of its metadata document, even if the document was never fetched."""
    console = root(latchkey)
    page = console.open(at(DOCUMENT))
    assert (page.status, page.problem) == (404, "No application has this client ID.")
    assert page.value(HOME, "client_id") == DOCUMENT
    assert console.submit(f"{HOME}/end", on=at(DOCUMENT), client_id=DOCUMENT, reason="Phishing").status == 303
    assert "Client ID metadata document" in console.open(at(DOCUMENT)).text
    assert clients.find(DOCUMENT) is None


@pytest.mark.parametrize(
    "wanted", ["app_00000000000000000000", "nonsense", "<b>", "https://", "https://app.example.com"]
)
def test_unknown_client_is_not_found(latchkey: TestApp, wanted: str) -> None:
    """A search for an unknown client keeps the search text, and an unknown client can't be deleted."""
    console = root(latchkey)
    page = console.open(at(wanted))
    assert (page.status, page.value(HOME, "client_id")) == (404, wanted)
    assert page.problem == "No application has this client ID."
    assert not [url for url in page.urls if "/end?" in url]
    assert console.open(at(wanted, f"{HOME}/end")).status == 404


@pytest.mark.parametrize("reason", ["", "ok", "x" * 201, "a\nb"])
def test_client_is_not_ended_without_a_reason(latchkey: TestApp, reason: str) -> None:
    """A client isn't deleted without a reason, and the page asks for one."""
    app, console = register_client(latchkey), root(latchkey)
    page = console.submit(f"{HOME}/end", on=at(app.id), client_id=app.id, reason=reason)
    assert (page.status, page.problem) == (400, "Reason must be a text of 3 to 200 characters on one line.")
    assert page.value(f"{HOME}/end", "client_id") == app.id
    assert clients.find(app.id) is not None
    assert list(Event.scan(Event.type == kinds.APPLICATION_DELETED)) == []


def test_client_pages_do_not_exist_for_others(latchkey: TestApp) -> None:
    """Users who aren't admins can't find or delete a client on admin pages, even if they own it."""
    ada = new_user(latchkey)
    app = register_client(latchkey, owner=ada.account)
    tokens = ada.token_fields()
    assert [ada.open(at(app.id, path)).status for path in (HOME, f"{HOME}/end")] == [404, 404]
    assert ada.send(f"{HOME}/end", {**tokens, "client_id": app.id, "reason": "because"}).status == 404
    assert clients.find(app.id) is not None
    admin = log_in_as(latchkey, new_account(name="Root", admin=True))
    assert HOME in admin.open("/admin").urls
