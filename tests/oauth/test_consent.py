"""Remembered consents: when the consent page is skipped, and when it is shown again."""

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
    Person,
    as_json,
    query_of,
    registered,
    someone,
    works,
)
from tests.support.harness import TestApp

BOTH = [f"{ISSUER}/v1", f"{ISSUER}/v1/users"]


def is_asked(person: Person, app: App, **asked: str | list[str] | None) -> bool:
    """Return whether a request shows the consent page instead of redirecting with a code."""
    page = person.asked(app, **asked)
    if page.status == 200:
        return True
    assert "code" in query_of(page.location), page.location
    return False


def test_consent_is_remembered(latchkey: TestApp, ada: Person, app: App) -> None:
    """The same or a smaller request skips the page, even after a year."""
    ada.allows(app, scope="read write", resource=BOTH)
    assert not is_asked(ada, app, scope="read write", resource=BOTH)
    assert not is_asked(ada, app, scope="read", resource=BOTH[0])
    latchkey.clock.forward(365 * 86_400)
    ada.logs_in_again()
    assert not is_asked(ada, app, scope="write", resource=BOTH[1])


def test_denial_is_not_remembered(ada: Person, app: App) -> None:
    """The next request shows the page again."""
    ada.decides(ada.asked(app), "deny")
    assert is_asked(ada, app)


def test_consent_is_asked_again_for_more_scopes(ada: Person, app: App) -> None:
    """Afterwards both are remembered."""
    ada.allows(app, scope="read")
    assert is_asked(ada, app, scope="write")
    assert is_asked(ada, app, scope="read write")
    ada.allows(app, scope="write")
    assert not is_asked(ada, app, scope="read write")


def test_consent_is_asked_again_for_other_resources(ada: Person, app: App) -> None:
    """A consent for one resource doesn't cover another."""
    ada.allows(app, resource=BOTH[0])
    assert is_asked(ada, app, resource=BOTH)
    assert is_asked(ada, app, resource=BOTH[1])
    ada.allows(app, resource=BOTH[1])
    assert not is_asked(ada, app, resource=BOTH)


def test_consent_is_asked_again_with_prompt_consent(ada: Person, app: App) -> None:
    """The client requested the page."""
    ada.allows(app)
    assert is_asked(ada, app, prompt="consent")
    assert not is_asked(ada, app)


@pytest.mark.parametrize("uri", [LOOPBACK, "http://localhost/cb", PRIVATE])
def test_consent_is_always_asked_on_shared_redirect_uris(latchkey: TestApp, ada: Person, uri: str) -> None:
    """RFC 8252 §8.6: any app on the device could impersonate the client. With prompt=none it is an error."""
    app = registered(latchkey, uri, public=True)
    ada.allows(app)
    assert is_asked(ada, app)
    assert query_of(ada.asked(app, prompt="none").location)["error"] == "consent_required"


ELSEWHERE = "https://elsewhere.example/cb"


def test_consent_is_asked_again_for_a_recipient_changed_in_the_console(latchkey: TestApp, ada: Person) -> None:
    """Another host, port or path is another recipient, except for a path on the same origin."""
    owner = someone(latchkey, "Owner")
    app = registered(latchkey, owner=owner.account)
    ada.allows(app)
    for uri, asked in (
        ("https://app.example.com/other", False),
        ("https://app.example.com:8443/cb", True),
        ("https://app.example.com.evil.example/cb", True),
        (ELSEWHERE, True),
    ):
        path = f"/settings/applications/{app.id}"
        assert owner.submit(f"{path}/change", on=path, name="Photos", redirect_uris=uri).status == 303
        assert is_asked(ada, app, redirect_uri=uri) is asked, uri
        assert is_asked(ada, app, redirect_uri=None) is asked, uri
    ada.allows(app, redirect_uri=ELSEWHERE)
    assert not is_asked(ada, app, redirect_uri=ELSEWHERE)


def test_consent_is_asked_again_for_a_recipient_changed_by_registration(latchkey: TestApp, ada: Person) -> None:
    """RFC 7592: the holder of the registration access token must not get a code allowed to another recipient."""
    described = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    made = as_json(latchkey, "/oauth/register", described).json()
    app = App(latchkey, Client.get(made["client_id"]), None, CALLBACK, PKCE)
    ada.allows(app)
    assert not is_asked(ada, app)
    changed = json.dumps({**described, "client_id": app.id, "redirect_uris": [ELSEWHERE]}).encode()
    answer = latchkey.call("PUT", f"/oauth/register/{app.id}", made["registration_access_token"], body=changed)
    assert answer.status == 200
    assert is_asked(ada, app, redirect_uri=ELSEWHERE)


def test_consents_to_several_recipients_are_all_remembered(latchkey: TestApp, ada: Person) -> None:
    """A client with two redirect URIs isn't asked about alternately."""
    app = registered(latchkey, CALLBACK, ELSEWHERE)
    ada.allows(app)
    assert is_asked(ada, app, redirect_uri=ELSEWHERE)
    ada.allows(app, redirect_uri=ELSEWHERE)
    assert not is_asked(ada, app, redirect_uri=CALLBACK)
    assert not is_asked(ada, app, redirect_uri=ELSEWHERE)


def test_consents_are_not_combined(latchkey: TestApp, ada: Person) -> None:
    """Each covers its scopes, resources and recipient together, and not combinations of them."""
    app = registered(latchkey, CALLBACK, ELSEWHERE)
    ada.allows(app, scope="read")
    ada.allows(app, scope="write", redirect_uri=ELSEWHERE)
    assert is_asked(ada, app, scope="read write")
    assert is_asked(ada, app, scope="write")
    assert is_asked(ada, app, scope="read", redirect_uri=ELSEWHERE)
    ada.allows(app, scope="read", resource=BOTH[0])
    ada.allows(app, scope="write", resource=BOTH[1])
    assert is_asked(ada, app, scope="write", resource=BOTH[0])
    assert not is_asked(ada, app, scope="read", resource=BOTH[0])


def test_consent_for_a_resource_excludes_tokens_without_resource(ada: Person, app: App) -> None:
    """Those are valid for all of this API. The reverse holds as well."""
    ada.allows(app, resource=BOTH[0])
    assert is_asked(ada, app)
    ada.allows(app)
    assert not is_asked(ada, app)
    assert is_asked(ada, app, resource=BOTH[1])


def test_consent_on_a_device_covers_no_redirect_uri(ada: Person, app: App) -> None:
    """The device page shows none, so no code and no error is redirected without asking."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    assert ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow").status == 200
    assert is_asked(ada, app)
    assert app.id in ada.open("/settings/connected").html


def test_consent_on_a_device_opens_no_redirect(latchkey: TestApp, ada: Person) -> None:
    """A self-registered client that was approved on a device gets no redirect without a decision."""
    made = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "grant_types": [CODE, DEVICE]}).json()
    app = App(latchkey, Client.get(made["client_id"]), made["client_secret"], CALLBACK, PKCE)
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow")
    assert ada.asked(app, prompt="none").status == 400
    assert ada.asked(app, response_type="nonsense").status == 400


def test_device_page_is_shown_again_when_the_client_changed(ada: Person, app: App) -> None:
    """A decision is valid only for the content that was shown."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    page = ada.open(f"/device?user_code={user_code}")
    form = ada.filled(page, "/device", {"decision": "allow"})
    clients.update(app.client, name="Evil", uris=[CALLBACK])
    again = ada.send("/device", form)
    assert (again.status, "has changed since" in again.text, "Evil" in again.text) == (409, True, True)
    assert ada.send("/device", ada.filled(again, "/device", {"decision": "allow"})).status == 200


def test_consent_is_bound_to_client_and_account(latchkey: TestApp, ada: Person, app: App) -> None:
    """It doesn't cover another client, nor another account."""
    ada.allows(app)
    assert is_asked(ada, registered(latchkey))
    assert is_asked(someone(latchkey, "Bea"), app)


def test_withdrawn_consent_is_asked_again(ada: Person, app: App) -> None:
    """Disconnecting an app deletes the consent."""
    ada.allows(app)
    ada.submit("/settings/connected", client_id=app.id)
    assert is_asked(ada, app)


def test_consent_from_before_the_email_verification_is_asked_again(latchkey: TestApp, app: App) -> None:
    """An attacker may have given it before the owner of the address signed up; a new consent replaces it."""
    ada = someone(latchkey, verified=False)
    ada.allows(app, scope="read write")
    latchkey.clock.forward(60)
    ada.proves_address()
    assert is_asked(ada, app, scope="read")
    ada.allows(app, scope="read")
    assert not is_asked(ada, app, scope="read")
    assert is_asked(ada, app, scope="read write")


@pytest.mark.parametrize("configured", [True, False])
def test_unverified_email_gives_no_access_where_emails_are_sent(latchkey: TestApp, app: App, configured: bool) -> None:
    """Neither in a browser, with or without a page, nor on a device, nor to the account's own client."""
    ada = someone(latchkey, verified=False)
    ada.allows(app)
    page = ada.asked(app, prompt="consent")
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    new = "/settings/applications/new"
    with settings.in_use(replace(settings.current(), mail_from="keys@example.com" if configured else "")):
        asked, said = ada.asked(app), ada.decides(page)
        silently = query_of(ada.asked(app, prompt="none").location)
        at_device = ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow")
        assert [each.status for each in (asked, said, at_device)] == ([409] * 3 if configured else [303, 303, 200])
        assert silently.get("error") == ("consent_required" if configured else None)
        assert ada.open(new).status == (409 if configured else 200)
        assert ("Confirm your email address first" in asked.text) is configured
        assert query_of(ada.decides(page, "deny").location)["error"] == "access_denied"


def test_connected_apps_list_their_permissions(latchkey: TestApp, ada: Person) -> None:
    """All that any of the app's grants allows; unverified clients are marked."""
    app, other = registered(latchkey), registered(latchkey)
    ada.allows(app, scope="read write")
    ada.allows(app, scope="read")
    ada.allows(other, scope="read")
    page = ada.open("/settings/connected")
    rows = [row.partition("</tr>")[0] for row in page.html.split("<tr>")[2:]]
    mine = next(row for row in rows if app.id in row)
    its = next(row for row in rows if other.id in row)
    assert ("read</code>" in mine, "write</code>" in mine) == (True, True)
    assert ("read</code>" in its, "write</code>" in its) == (True, False)


def test_remembered_consent_is_listed_until_it_is_deleted(latchkey: TestApp, ada: Person, app: App) -> None:
    """Even if the app revoked its tokens: it may get new ones without asking."""
    app.post("/oauth/revoke", token=ada.grant(app, scope="read")[1])
    page = ada.open("/settings/connected")
    assert app.id in page.html
    assert "Remembered" in page.html
    assert not is_asked(ada, app, scope="read")
    ada.submit("/settings/connected", client_id=app.id)
    app.post("/oauth/revoke", token=ada.grant(app, scope="read")[1])
    ada.submit("/settings/connected", client_id=app.id)
    assert app.id not in ada.open("/settings/connected").html
    assert is_asked(ada, app, scope="read")


def test_consent_from_before_the_email_verification_is_not_listed(latchkey: TestApp, app: App) -> None:
    """It is no longer valid."""
    ada = someone(latchkey, verified=False)
    ada.allows(app, scope="read write")
    latchkey.clock.forward(60)
    ada.proves_address()
    assert app.id not in ada.open("/settings/connected").html


def test_connected_apps_list_remembered_permissions(ada: Person, app: App) -> None:
    """Remembered permissions are listed like granted ones."""
    app.post("/oauth/revoke", token=ada.grant(app, scope="write")[1])
    ada.allows(app, scope="read")
    row = ada.open("/settings/connected").html.partition(app.id)[0].rpartition("<tr>")[2]
    assert ("read</code>" in row, "write</code>" in row) == (True, True)


def test_app_of_a_suspended_account_can_be_disconnected(latchkey: TestApp, ada: Person) -> None:
    """It has no access now, but would have when its account is reinstated."""
    owner = someone(latchkey, "Owner")
    app = registered(latchkey, owner=owner.account)
    token, _ = ada.grant(app)
    owner.suspended()
    assert app.id in ada.open("/settings/connected").html
    page = ada.submit("/settings/connected", on=f"/settings/connected/disconnect?client_id={app.id}")
    assert page.status == 303
    owner.reinstated()
    assert not works(latchkey, token)


def test_disconnected_app_is_not_listed(latchkey: TestApp, ada: Person, app: App) -> None:
    """Other accounts' connections stay."""
    bea = someone(latchkey, "Bea")
    mine, others = ada.grant(app)[0], bea.grant(app)[0]
    assert (works(latchkey, mine), works(latchkey, others)) == (True, True)
    page = ada.submit("/settings/connected", client_id=app.id)
    assert app.id not in ada.follow(page).html
    assert app.id in bea.open("/settings/connected").html
    assert (works(latchkey, mine), works(latchkey, others)) == (False, True)
