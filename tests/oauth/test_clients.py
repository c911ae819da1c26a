"""Applications in the console: registering, rotating the secret, deleting, and concurrent changes."""

import re

import pytest

from chalicelib.accounts import change, states
from chalicelib.core import errors
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import kinds
from chalicelib.events.tables import Event
from chalicelib.oauth import approval, authorize, clients, delete_client, parameters, registration
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.tables import Client, Consent, Grant
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    ISSUER,
    LOOPBACK,
    PKCE,
    App,
    User,
    choice_of,
    is_accepted,
    new_user,
    register_client,
)
from tests.support.console_client import Page
from tests.support.harness import TestApp
from tests.support.job_runs import run_jobs

NEW = "/settings/applications/new"
SECRET = re.compile(r"lk_cs_[0-9A-Za-z]{36}")


def register(user: User, kind: str, *uris: str) -> Page:
    """Submit the form for a new application."""
    return user.submit(NEW, name="Mine", redirect_uris="\r\n".join(uris), kind=kind, scopes=["read", "write"])


def test_confidential_application_is_registered_in_the_console(latchkey: TestApp, ada: User) -> None:
    """The page shows the id and, only once, the secret of a new application; the flow works with them."""
    page = register(ada, "confidential", CALLBACK, f" {LOOPBACK} ", "")
    (client,) = clients.list_of_account(ada.account.id)
    (secret,) = set(SECRET.findall(page.html))
    assert (client.client_id in page.html, client.redirect_uris) == (True, [CALLBACK, LOOPBACK])
    app = App(latchkey, client, secret, CALLBACK)
    assert is_accepted(latchkey, ada.grant(app)[0])
    assert app.ask(CLIENT).status == 200
    for target in ("/settings/applications", f"/settings/applications/{client.client_id}"):
        html = ada.open(target).html
        assert client.client_id in html
        assert not SECRET.search(html)


def test_public_application_is_registered_in_the_console(latchkey: TestApp, ada: User) -> None:
    """A public application has no secret and can't get one."""
    page = register(ada, "public", LOOPBACK)
    (client,) = clients.list_of_account(ada.account.id)
    assert not SECRET.search(page.html)
    assert is_accepted(latchkey, ada.grant(App(latchkey, client, None, LOOPBACK, PKCE))[0])
    path = f"/settings/applications/{client.client_id}"
    fields = ada.fill(ada.open(path), f"{path}/change", {})
    assert ada.send(f"{path}/secret", fields).status == 409


def test_invalid_application_form_shows_the_error(latchkey: TestApp, ada: User) -> None:
    """A form without a valid redirect URI, name, client type or scope gets an error and registers no application."""
    good = {"name": "Mine", "redirect_uris": CALLBACK, "kind": "public"}
    for wrong in ({"redirect_uris": ""}, {"name": " "}, {"kind": "secret"}, {"redirect_uris": "x"}):
        page = ada.submit(NEW, **{**good, **wrong}, scopes=["read"])
        assert (page.status, bool(page.problem)) == (400, True), wrong
    assert ada.submit(NEW, **good, scopes=["keys"]).status == 400
    assert list(clients.list_of_account(ada.account.id)) == []


def test_account_has_at_most_50_applications(latchkey: TestApp, ada: User) -> None:
    """An account can register 50 applications; a deleted one doesn't count."""
    owned = [register_client(latchkey, owner=ada.account) for _ in range(clients.PER_ACCOUNT_MAX)]
    page = register(ada, "public", CALLBACK)
    assert (page.status, "at most 50" in page.problem) == (409, True)
    delete_client.delete(owned[0].client)
    assert register(ada, "public", CALLBACK).status == 200
    assert register(ada, "public", CALLBACK).status == 409


def test_deleting_an_application_twice_counts_once(latchkey: TestApp, ada: User) -> None:
    """Deleting an application twice decrements the number of applications once and records one event."""
    owned = [register_client(latchkey, owner=ada.account) for _ in range(clients.PER_ACCOUNT_MAX)]
    for _ in range(3):
        delete_client.delete(owned[0].client)
    assert [register(ada, "public", CALLBACK).status for _ in range(2)] == [200, 409]
    deletions = list(Event.query(ada.account.id, filter_condition=Event.type == kinds.APPLICATION_DELETED))
    assert len(deletions) == 1


def test_suspended_account_registers_no_application(latchkey: TestApp) -> None:
    """The transaction that registers an application requires an active account."""
    owner = latchkey.account()
    change.set_tier_and_status(owner.id, tier=None, status=states.SUSPENDED, actor="acc_admin")
    with pytest.raises(errors.NotFound):
        register_client(latchkey, owner=owner)
    assert list(clients.list_of_account(owner.id)) == []


def test_second_of_two_concurrent_rotations_fails(latchkey: TestApp, app: App) -> None:
    """The second of two concurrent rotations fails, so that its page doesn't show a secret that is already replaced."""
    seen_by_both = Client.get(app.id)
    app.secret = clients.rotate_secret(app.client)
    with pytest.raises(errors.Conflict):
        clients.rotate_secret(seen_by_both)
    assert app.ask(CLIENT).status == 200


def test_change_of_a_concurrently_deleted_client_fails(latchkey: TestApp, app: App) -> None:
    """A change of name, secret or metadata doesn't recreate the item of a deleted client."""
    seen = Client.get(app.id)
    delete_client.delete(app.client)
    with pytest.raises(errors.NotFound):
        clients.update(seen, name="Mine", uris=[CALLBACK])
    with pytest.raises(errors.Conflict):
        clients.rotate_secret(seen)
    with pytest.raises(OAuthError, match="registration access token"):
        registration.replace(seen, "", f'{{"client_id": "{app.id}", "redirect_uris": ["{CALLBACK}"]}}', ISSUER)
    assert clients.find(app.id) is None


@pytest.mark.parametrize("registered_by", ["account", "self"])
def test_approval_of_a_concurrently_deleted_client_fails(
    latchkey: TestApp, ada: User, app: App, registered_by: str
) -> None:
    """If a client is deleted during an approval, the approval fails."""
    if registered_by == "self":
        app.client.update(actions=[Client.dies_at.set(latchkey.clock.now_ms // 1000 + 60)])
    sent = {"client_id": [app.id], "redirect_uri": [CALLBACK], "response_type": ["code"]}
    request = authorize.parse(parameters.parse_query(sent), ISSUER)
    delete_client.delete(app.client)
    with pytest.raises(authorize.CannotRedirect):
        approval.approve(request, choice_of(ada.account, "read"), ISSUER)
    assert [*Grant.scan(), *Consent.scan()] == []


@pytest.mark.parametrize("end", ["deleted", "suspended"])
@pytest.mark.parametrize("at", ["grant.created", "consent.remembered"])
def test_client_that_ends_during_an_approval_gets_neither_code_nor_consent(
    latchkey: TestApp, ada: User, at: str, end: str
) -> None:
    """If the client's account is deleted or suspended right before the grant or the consent is stored, the user gets an
    error page, and no consent is stored.
    """
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    page, send, ended = ada.open_authorization(app), dynamodb.sender(), False

    def interrupted(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        nonlocal ended
        if operation == "TransactWriteItems" and at in str(request) and not ended:
            ended = True
            with dynamodb.use_sender(send):
                owner.delete_account() if end == "deleted" else owner.suspend()
                run_jobs()
        return send(operation, request)

    with dynamodb.use_sender(interrupted):
        response = ada.decide(page)
    assert (ended, response.status, "code=" in response.location) == (True, 400, False)
    assert list(Consent.scan()) == []
    # A grant that was stored before the end is deleted with the client; that of a suspended client stays without use.
    assert len(list(Grant.scan())) == (at == "consent.remembered" and end == "suspended")
