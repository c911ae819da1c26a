"""A yes is remembered for what it was said to, and asked for again when that grows or others may pose as the client."""

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
    """Tell whether a request shows the consent page, or goes straight back with a code."""
    page = person.asked(app, **asked)
    if page.status == 200:
        return True
    assert "code" in query_of(page.location), page.location
    return False


def test_yes_is_remembered(latchkey: TestApp, ada: Person, app: App) -> None:
    """The same again, or less, isn't asked for again: not after a year either."""
    ada.allows(app, scope="read write", resource=BOTH)
    assert not is_asked(ada, app, scope="read write", resource=BOTH)
    assert not is_asked(ada, app, scope="read", resource=BOTH[0])
    latchkey.clock.forward(365 * 86_400)
    ada.logs_in_again()
    assert not is_asked(ada, app, scope="write", resource=BOTH[1])


def test_no_is_not_remembered(ada: Person, app: App) -> None:
    """Who said no may say yes the next time."""
    ada.decides(ada.asked(app), "deny")
    assert is_asked(ada, app)


def test_yes_is_asked_for_again_when_scopes_grow(ada: Person, app: App) -> None:
    """And then both are remembered."""
    ada.allows(app, scope="read")
    assert is_asked(ada, app, scope="write")
    assert is_asked(ada, app, scope="read write")
    ada.allows(app, scope="write")
    assert not is_asked(ada, app, scope="read write")


def test_yes_is_asked_for_again_when_resources_grow(ada: Person, app: App) -> None:
    """A yes for one place is none for another."""
    ada.allows(app, resource=BOTH[0])
    assert is_asked(ada, app, resource=BOTH)
    assert is_asked(ada, app, resource=BOTH[1])
    ada.allows(app, resource=BOTH[1])
    assert not is_asked(ada, app, resource=BOTH)


def test_yes_is_asked_for_again_when_the_client_wants_that(ada: Person, app: App) -> None:
    """prompt=consent."""
    ada.allows(app)
    assert is_asked(ada, app, prompt="consent")
    assert not is_asked(ada, app)


@pytest.mark.parametrize("uri", [LOOPBACK, "http://localhost/cb", PRIVATE])
def test_yes_is_always_asked_for_where_other_apps_may_listen(latchkey: TestApp, ada: Person, uri: str) -> None:
    """RFC 8252 §8.6: any app of the machine could pose as this one. Silently it gets nothing."""
    app = registered(latchkey, uri, public=True)
    ada.allows(app)
    assert is_asked(ada, app)
    assert query_of(ada.asked(app, prompt="none").location)["error"] == "consent_required"


ELSEWHERE = "https://elsewhere.example/cb"


def test_yes_is_asked_for_again_when_the_form_changes_where_the_client_is_answered(
    latchkey: TestApp, ada: Person
) -> None:
    """Settings > Applications: another host, port or path is another place, but for the path of the same origin."""
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


def test_yes_is_asked_for_again_when_a_client_replaces_where_it_is_answered(latchkey: TestApp, ada: Person) -> None:
    """RFC 7592: who holds the registration token must not get a code that the user allowed another place."""
    described = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    made = as_json(latchkey, "/oauth/register", described).json()
    app = App(latchkey, Client.get(made["client_id"]), None, CALLBACK, PKCE)
    ada.allows(app)
    assert not is_asked(ada, app)
    changed = json.dumps({**described, "client_id": app.id, "redirect_uris": [ELSEWHERE]}).encode()
    answer = latchkey.call("PUT", f"/oauth/register/{app.id}", made["registration_access_token"], body=changed)
    assert answer.status == 200
    assert is_asked(ada, app, redirect_uri=ELSEWHERE)


def test_yes_to_several_places_is_remembered_for_each(latchkey: TestApp, ada: Person) -> None:
    """A client with two redirect URIs isn't asked about in turns."""
    app = registered(latchkey, CALLBACK, ELSEWHERE)
    ada.allows(app)
    assert is_asked(ada, app, redirect_uri=ELSEWHERE)
    ada.allows(app, redirect_uri=ELSEWHERE)
    assert not is_asked(ada, app, redirect_uri=CALLBACK)
    assert not is_asked(ada, app, redirect_uri=ELSEWHERE)


def test_yes_to_one_thing_here_and_another_there_is_none_to_both(latchkey: TestApp, ada: Person) -> None:
    """Each yes is for its scopes, its resources and its place together; they don't add up to what nobody said."""
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


def test_yes_for_a_resource_is_none_for_a_token_that_names_none(ada: Person, app: App) -> None:
    """That one is good for all of this API; nor the other way round."""
    ada.allows(app, resource=BOTH[0])
    assert is_asked(ada, app)
    ada.allows(app)
    assert not is_asked(ada, app)
    assert is_asked(ada, app, resource=BOTH[1])


def test_yes_at_a_device_is_remembered_for_no_place(ada: Person, app: App) -> None:
    """Nobody was shown an address there: neither a code nor an error goes to one unasked."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    assert ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow").status == 200
    assert is_asked(ada, app)
    assert app.id in ada.open("/settings/connected").html


def test_open_redirect_is_not_bought_with_a_device(latchkey: TestApp, ada: Person) -> None:
    """A client that registered itself sends nobody to its address who said yes at a device only."""
    made = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "grant_types": [CODE, DEVICE]}).json()
    app = App(latchkey, Client.get(made["client_id"]), made["client_secret"], CALLBACK, PKCE)
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    ada.submit("/device", on=f"/device?user_code={user_code}", decision="allow")
    assert ada.asked(app, prompt="none").status == 400
    assert ada.asked(app, response_type="nonsense").status == 400


def test_client_that_changes_while_a_device_is_decided_is_shown_anew(ada: Person, app: App) -> None:
    """What is allowed is what was read."""
    user_code = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    page = ada.open(f"/device?user_code={user_code}")
    form = ada.filled(page, "/device", {"decision": "allow"})
    clients.update(app.client, name="Evil", uris=[CALLBACK])
    again = ada.send("/device", form)
    assert (again.status, "has changed since" in again.text, "Evil" in again.text) == (409, True, True)
    assert ada.send("/device", ada.filled(again, "/device", {"decision": "allow"})).status == 200


def test_yes_to_one_client_is_none_to_another(latchkey: TestApp, ada: Person, app: App) -> None:
    """Nor is one account's yes another's."""
    ada.allows(app)
    assert is_asked(ada, registered(latchkey))
    assert is_asked(someone(latchkey, "Bea"), app)


def test_yes_that_was_taken_back_is_asked_for_again(ada: Person, app: App) -> None:
    """Disconnecting forgets it."""
    ada.allows(app)
    ada.submit("/settings/connected", client_id=app.id)
    assert is_asked(ada, app)


def test_yes_given_before_the_address_was_proven_is_asked_for_again(latchkey: TestApp, app: App) -> None:
    """Somebody else may have said it, waiting for the owner to move in; and what is said now replaces it."""
    ada = someone(latchkey, verified=False)
    ada.allows(app, scope="read write")
    latchkey.clock.forward(60)
    ada.proves_address()
    assert is_asked(ada, app, scope="read")
    ada.allows(app, scope="read")
    assert not is_asked(ada, app, scope="read")
    assert is_asked(ada, app, scope="read write")


@pytest.mark.parametrize("configured", [True, False])
def test_unproven_address_gives_nobody_access_where_mail_is_sent(latchkey: TestApp, app: App, configured: bool) -> None:
    """Neither in the browser, silently or not, nor at a device, nor to a client of its own: as it generates no key."""
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


def test_connected_apps_say_what_each_may_do(latchkey: TestApp, ada: Person) -> None:
    """All that any of its grants allows, not only the newest; unverified clients are marked."""
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


def test_remembered_yes_is_listed_until_it_is_forgotten(latchkey: TestApp, ada: Person, app: App) -> None:
    """Though the application gave its tokens back: it may get others without asking."""
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


def test_yes_given_before_the_address_was_proven_is_not_listed(latchkey: TestApp, app: App) -> None:
    """Nobody is held to it."""
    ada = someone(latchkey, verified=False)
    ada.allows(app, scope="read write")
    latchkey.clock.forward(60)
    ada.proves_address()
    assert app.id not in ada.open("/settings/connected").html


def test_connected_apps_say_what_each_may_have_again_without_asking(ada: Person, app: App) -> None:
    """What is remembered counts like what is granted."""
    app.post("/oauth/revoke", token=ada.grant(app, scope="write")[1])
    ada.allows(app, scope="read")
    row = ada.open("/settings/connected").html.partition(app.id)[0].rpartition("<tr>")[2]
    assert ("read</code>" in row, "write</code>" in row) == (True, True)


def test_app_of_a_suspended_owner_can_be_disconnected(latchkey: TestApp, ada: Person) -> None:
    """It does nothing now, and may come back with its owner."""
    owner = someone(latchkey, "Owner")
    app = registered(latchkey, owner=owner.account)
    token, _ = ada.grant(app)
    owner.suspended()
    assert app.id in ada.open("/settings/connected").html
    page = ada.submit("/settings/connected", on=f"/settings/connected/disconnect?client_id={app.id}")
    assert page.status == 303
    owner.reinstated()
    assert not works(latchkey, token)


def test_connected_app_that_was_disconnected_is_gone(latchkey: TestApp, ada: Person, app: App) -> None:
    """It isn't listed any more, and someone else's connection goes on."""
    bea = someone(latchkey, "Bea")
    mine, others = ada.grant(app)[0], bea.grant(app)[0]
    assert (works(latchkey, mine), works(latchkey, others)) == (True, True)
    page = ada.submit("/settings/connected", client_id=app.id)
    assert app.id not in ada.follow(page).html
    assert app.id in bea.open("/settings/connected").html
    assert (works(latchkey, mine), works(latchkey, others)) == (False, True)
