"""Remembered consent: when the consent page is skipped, and when it is shown again."""

import json
from dataclasses import replace

import pytest

from chalicelib.core import settings
from chalicelib.oauth import clients
from chalicelib.oauth.tables import Client
from tests.oauth.flow import (
    CALLBACK,
    CODE,
    DEVICE,
    ISSUER,
    LOOPBACK,
    PKCE,
    PRIVATE,
    App,
    User,
    as_json,
    is_accepted,
    new_user,
    query_of,
    register_client,
)
from tests.support.harness import TestApp

BOTH = [f"{ISSUER}/v1", f"{ISSUER}/v1/users"]


def shows_consent_page(user: User, app: App, **requested: str | list[str] | None) -> bool:
    """Return whether a request shows the consent page instead of redirecting with a code."""
    page = user.open_authorization(app, **requested)
    if page.status == 200:
        return True
    assert "code" in query_of(page.location), page.location
    return False


def test_consent_is_remembered(latchkey: TestApp, ada: User, app: App) -> None:
    """A request for the same or fewer scopes skips the consent page, even after a year."""
    ada.allow(app, scope="read write", resource=BOTH)
    assert not shows_consent_page(ada, app, scope="read write", resource=BOTH)
    assert not shows_consent_page(ada, app, scope="read", resource=BOTH[0])
    latchkey.clock.forward(365 * 86_400)
    ada.log_in_again()
    assert not shows_consent_page(ada, app, scope="write", resource=BOTH[1])


def test_denial_is_not_remembered(ada: User, app: App) -> None:
    """After a denial the next request shows the consent page again."""
    ada.decide(ada.open_authorization(app), "deny")
    assert shows_consent_page(ada, app)


def test_consent_is_asked_again_for_more_scopes(ada: User, app: App) -> None:
    """A request for more scopes shows the consent page, and an approval adds the scopes to the remembered consent."""
    ada.allow(app, scope="read")
    assert shows_consent_page(ada, app, scope="write")
    assert shows_consent_page(ada, app, scope="read write")
    ada.allow(app, scope="write")
    assert not shows_consent_page(ada, app, scope="read write")


def test_consent_is_asked_again_for_other_resources(ada: User, app: App) -> None:
    """A consent for one resource doesn't cover another resource."""
    ada.allow(app, resource=BOTH[0])
    assert shows_consent_page(ada, app, resource=BOTH)
    assert shows_consent_page(ada, app, resource=BOTH[1])
    ada.allow(app, resource=BOTH[1])
    assert not shows_consent_page(ada, app, resource=BOTH)


def test_consent_is_asked_again_with_prompt_consent(ada: User, app: App) -> None:
    """A client can have the consent page shown with prompt=consent despite a remembered consent."""
    ada.allow(app)
    assert shows_consent_page(ada, app, prompt="consent")
    assert not shows_consent_page(ada, app)


@pytest.mark.parametrize("uri", [LOOPBACK, "http://localhost/cb", PRIVATE])
def test_consent_is_always_asked_on_shared_redirect_uris(latchkey: TestApp, ada: User, uri: str) -> None:
    """RFC 8252 §8.6: a redirect URI that any app on the device could claim always needs consent, so prompt=none is an
    error.
    """
    app = register_client(latchkey, uri, public=True)
    ada.allow(app)
    assert shows_consent_page(ada, app)
    assert query_of(ada.open_authorization(app, prompt="none").location)["error"] == "consent_required"


ELSEWHERE = "https://elsewhere.example/cb"


def test_consent_is_asked_again_for_a_recipient_changed_in_the_console(latchkey: TestApp, ada: User) -> None:
    """A new host, port or path needs consent again, except for another path on the same https origin."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    ada.allow(app)
    for uri, requested in (
        ("https://app.example.com/other", False),
        ("https://app.example.com:8443/cb", True),
        ("https://app.example.com.evil.example/cb", True),
        (ELSEWHERE, True),
    ):
        path = f"/settings/applications/{app.id}"
        assert owner.submit(f"{path}/change", on=path, name="Photos", redirect_uris=uri).status == 303
        assert shows_consent_page(ada, app, redirect_uri=uri) is requested, uri
        assert shows_consent_page(ada, app, redirect_uri=None) is requested, uri
    ada.allow(app, redirect_uri=ELSEWHERE)
    assert not shows_consent_page(ada, app, redirect_uri=ELSEWHERE)


def test_consent_is_asked_again_for_a_recipient_changed_by_registration(latchkey: TestApp, ada: User) -> None:
    """RFC 7592: the holder of the registration access token must not get a code that was allowed to another
    recipient.
    """
    described = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    created = as_json(latchkey, "/oauth/register", described).json()
    app = App(latchkey, Client.get(created["client_id"]), None, CALLBACK, PKCE)
    ada.allow(app)
    assert not shows_consent_page(ada, app)
    changed = json.dumps({**described, "client_id": app.id, "redirect_uris": [ELSEWHERE]}).encode()
    response = latchkey.call("PUT", f"/oauth/register/{app.id}", created["registration_access_token"], body=changed)
    assert response.status == 200
    assert shows_consent_page(ada, app, redirect_uri=ELSEWHERE)


def test_consents_to_several_recipients_are_all_remembered(latchkey: TestApp, ada: User) -> None:
    """A client that alternates between two redirect URIs isn't asked for consent each time."""
    app = register_client(latchkey, CALLBACK, ELSEWHERE)
    ada.allow(app)
    assert shows_consent_page(ada, app, redirect_uri=ELSEWHERE)
    ada.allow(app, redirect_uri=ELSEWHERE)
    assert not shows_consent_page(ada, app, redirect_uri=CALLBACK)
    assert not shows_consent_page(ada, app, redirect_uri=ELSEWHERE)


def test_consents_are_not_combined(latchkey: TestApp, ada: User) -> None:
    """A consent covers its scopes, resource and recipient together; two consents don't cover a combination of them."""
    app = register_client(latchkey, CALLBACK, ELSEWHERE)
    ada.allow(app, scope="read")
    ada.allow(app, scope="write", redirect_uri=ELSEWHERE)
    assert shows_consent_page(ada, app, scope="read write")
    assert shows_consent_page(ada, app, scope="write")
    assert shows_consent_page(ada, app, scope="read", redirect_uri=ELSEWHERE)
    ada.allow(app, scope="read", resource=BOTH[0])
    ada.allow(app, scope="write", resource=BOTH[1])
    assert shows_consent_page(ada, app, scope="write", resource=BOTH[0])
    assert not shows_consent_page(ada, app, scope="read", resource=BOTH[0])


def test_consent_for_a_resource_excludes_tokens_without_resource(ada: User, app: App) -> None:
    """Tokens without a resource are valid for the whole API, so consent for one resource doesn't cover them. Consent
    for the whole API doesn't cover a single resource, either.
    """
    ada.allow(app, resource=BOTH[0])
    assert shows_consent_page(ada, app)
    ada.allow(app)
    assert not shows_consent_page(ada, app)
    assert shows_consent_page(ada, app, resource=BOTH[1])


def test_consent_on_a_device_covers_no_redirect_uri(ada: User, app: App) -> None:
    """Consent on the device page covers no redirect URI, so a later authorization request shows the consent page."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    assert ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow").status == 200
    assert shows_consent_page(ada, app)
    assert app.id in ada.open("/settings/connected").html


def test_consent_on_a_device_opens_no_redirect(latchkey: TestApp, ada: User) -> None:
    """A self-registered client that was approved on a device gets no redirect without a decision."""
    created = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "grant_types": [CODE, DEVICE]}).json()
    app = App(latchkey, Client.get(created["client_id"]), created["client_secret"], CALLBACK, PKCE)
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow")
    assert ada.open_authorization(app, prompt="none").status == 400
    assert ada.open_authorization(app, response_type="nonsense").status == 400


def test_device_page_is_shown_again_when_the_client_changed(ada: User, app: App) -> None:
    """If the client changes while the device page is open, a decision shows the page again."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    page = ada.open(f"/device?user_code={user_code}")
    form = ada.fill(page, "/device", {"decision": "allow"})
    clients.update(app.client, name="Evil", uris=[CALLBACK])
    again = ada.send("/device", form)
    assert (again.status, "has changed since" in again.text, "Evil" in again.text) == (409, True, True)
    assert ada.send("/device", ada.fill(again, "/device", {"decision": "allow"})).status == 200


def test_consent_is_bound_to_client_and_account(latchkey: TestApp, ada: User, app: App) -> None:
    """A consent doesn't cover another client or another account."""
    ada.allow(app)
    assert shows_consent_page(ada, register_client(latchkey))
    assert shows_consent_page(new_user(latchkey, "Bea"), app)


def test_withdrawn_consent_is_asked_again(ada: User, app: App) -> None:
    """Disconnecting an app deletes its consent, so the next request shows the consent page."""
    ada.allow(app)
    ada.submit("/settings/connected", client_id=app.id)
    assert shows_consent_page(ada, app)


def test_consent_from_before_the_email_verification_is_asked_again(latchkey: TestApp, app: App) -> None:
    """A consent that was approved before the email verification is invalid, because an attacker may have approved it.
    The next consent replaces it.
    """
    ada = new_user(latchkey, verified=False)
    ada.allow(app, scope="read write")
    latchkey.clock.forward(60)
    ada.verify_email()
    assert shows_consent_page(ada, app, scope="read")
    ada.allow(app, scope="read")
    assert not shows_consent_page(ada, app, scope="read")
    assert shows_consent_page(ada, app, scope="read write")


@pytest.mark.parametrize("configured", [True, False])
def test_unverified_email_gives_no_access_where_emails_are_sent(latchkey: TestApp, app: App, configured: bool) -> None:
    """If emails are configured, an account with an unverified address gets no grants and no client tokens."""
    ada = new_user(latchkey, verified=False)
    ada.allow(app)
    page = ada.open_authorization(app, prompt="consent")
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    new = "/settings/applications/new"
    with settings.override(replace(settings.current(), mail_from="keys@example.com" if configured else "")):
        requested, decided = ada.open_authorization(app), ada.decide(page)
        silently = query_of(ada.open_authorization(app, prompt="none").location)
        at_device = ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow")
        assert [each.status for each in (requested, decided, at_device)] == (
            [409] * 3 if configured else [303, 303, 200]
        )
        assert silently.get("error") == ("consent_required" if configured else None)
        assert ada.open(new).status == (409 if configured else 200)
        assert ("Confirm your email address first" in requested.text) is configured
        assert query_of(ada.decide(page, "deny").location)["error"] == "access_denied"


def test_connected_apps_list_their_permissions(latchkey: TestApp, ada: User) -> None:
    """The list shows all permissions that any grant of an app allows, and marks unverified clients."""
    app, other = register_client(latchkey), register_client(latchkey)
    ada.allow(app, scope="read write")
    ada.allow(app, scope="read")
    ada.allow(other, scope="read")
    page = ada.open("/settings/connected")
    rows = [row.partition("</tr>")[0] for row in page.html.split("<tr>")[2:]]
    mine = next(row for row in rows if app.id in row)
    its = next(row for row in rows if other.id in row)
    assert ("read</code>" in mine, "write</code>" in mine) == (True, True)
    assert ("read</code>" in its, "write</code>" in its) == (True, False)


def test_remembered_consent_is_listed_until_it_is_deleted(latchkey: TestApp, ada: User, app: App) -> None:
    """An app with a remembered consent stays listed after it revoked its tokens, because it can get new ones without
    asking.
    """
    app.post("/oauth/revoke", token=ada.grant(app, scope="read")[1])
    page = ada.open("/settings/connected")
    assert app.id in page.html
    assert "Remembered" in page.html
    assert not shows_consent_page(ada, app, scope="read")
    ada.submit("/settings/connected", client_id=app.id)
    app.post("/oauth/revoke", token=ada.grant(app, scope="read")[1])
    ada.submit("/settings/connected", client_id=app.id)
    assert app.id not in ada.open("/settings/connected").html
    assert shows_consent_page(ada, app, scope="read")


def test_consent_from_before_the_email_verification_is_not_listed(latchkey: TestApp, app: App) -> None:
    """A consent that was approved before the email verification is invalid, so the app isn't listed."""
    ada = new_user(latchkey, verified=False)
    ada.allow(app, scope="read write")
    latchkey.clock.forward(60)
    ada.verify_email()
    assert app.id not in ada.open("/settings/connected").html


def test_connected_apps_list_remembered_permissions(ada: User, app: App) -> None:
    """Remembered permissions are listed in the same way as granted ones."""
    app.post("/oauth/revoke", token=ada.grant(app, scope="write")[1])
    ada.allow(app, scope="read")
    row = ada.open("/settings/connected").html.partition(app.id)[0].rpartition("<tr>")[2]
    assert ("read</code>" in row, "write</code>" in row) == (True, True)


def test_app_of_a_suspended_account_can_be_disconnected(latchkey: TestApp, ada: User) -> None:
    """An app whose account is suspended can be disconnected, because a reinstatement would restore its access."""
    owner = new_user(latchkey, "Owner")
    app = register_client(latchkey, owner=owner.account)
    token, _ = ada.grant(app)
    owner.suspend()
    assert app.id in ada.open("/settings/connected").html
    page = ada.submit("/settings/connected", on=f"/settings/connected/disconnect?client_id={app.id}")
    assert page.status == 303
    owner.reinstate()
    assert not is_accepted(latchkey, token)


def test_disconnected_app_is_not_listed(latchkey: TestApp, ada: User, app: App) -> None:
    """Disconnecting an app removes it from this account's list only."""
    bea = new_user(latchkey, "Bea")
    mine, others = ada.grant(app)[0], bea.grant(app)[0]
    assert (is_accepted(latchkey, mine), is_accepted(latchkey, others)) == (True, True)
    page = ada.submit("/settings/connected", client_id=app.id)
    assert app.id not in ada.follow(page).html
    assert app.id in bea.open("/settings/connected").html
    assert (is_accepted(latchkey, mine), is_accepted(latchkey, others)) == (False, True)
