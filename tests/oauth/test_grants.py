"""What ends a grant ends its tokens at the next request, though the gateway has their verdicts cached for 300 s."""

from chalicelib.core import telemetry
from chalicelib.oauth.tables import Grant, OneTimeToken
from tests.oauth.flow import CLIENT, App, Person, refusal, registered, someone, works
from tests.support.harness import TestApp

USED = (400, "invalid_grant")


def cached(latchkey: TestApp, *tokens: str) -> None:
    """Have the gateway remember that tokens are good."""
    for token in tokens:
        assert works(latchkey, token)
        with telemetry.calls_watched() as calls:
            assert works(latchkey, token)
        assert [operation for operation, _ in calls.made] == ["UpdateItem"]


def test_disconnecting_ends_every_grant_of_the_client(latchkey: TestApp, ada: Person, app: App) -> None:
    """All devices, access and refresh tokens, and a code that is still on its way; other clients go on."""
    other = registered(latchkey)
    first, second, others = ada.grant(app), ada.grant(app), ada.grant(other)
    code = ada.code(app)
    cached(latchkey, first[0], second[0], others[0])
    assert ada.submit("/settings/connected", client_id=app.id).status == 303
    assert [works(latchkey, token) for token, _ in (first, second, others)] == [False, False, True]
    assert [app.refresh(token).status for _, token in (first, second)] == [400, 400]
    assert refusal(app.redeem(code)) == USED
    assert other.refresh(others[1]).status == 200


def test_disconnecting_ends_no_one_elses(latchkey: TestApp, ada: Person, app: App) -> None:
    """A grant belongs to the account that gave it."""
    token, _ = ada.grant(app)
    cached(latchkey, token)
    eve, other = someone(latchkey, "Eve"), registered(latchkey)
    eve.allows(other)
    asks = f"/settings/connected/disconnect?client_id={other.id}"
    assert eve.submit("/settings/connected", on=asks, client_id=app.id).status == 303
    assert works(latchkey, token)


def test_deleting_a_client_ends_its_grants_and_its_own_tokens(latchkey: TestApp, ada: Person) -> None:
    """On the page: everybody's tokens stop, codes and refresh tokens are worth nothing, the client is unknown."""
    owner, bea = someone(latchkey, "Owner"), someone(latchkey, "Bea")
    app = registered(latchkey, owner=owner.account)
    tokens = [ada.grant(app)[0], bea.grant(app)[0], app.ask(CLIENT).json()["access_token"]]
    code = ada.code(app)
    cached(latchkey, *tokens)
    page = owner.submit(f"/settings/applications/{app.id}/delete", on=f"/settings/applications/{app.id}")
    assert page.status == 303
    assert [works(latchkey, token) for token in tokens] == [False] * 3
    assert refusal(app.redeem(code)) == (401, "invalid_client")
    assert ada.asked(app).status == 400
    assert app.id not in ada.open("/settings/connected").html
    assert owner.open(f"/settings/applications/{app.id}").status == 404


def test_clients_of_others_cant_be_touched(latchkey: TestApp, ada: Person, app: App) -> None:
    """Someone else's application is not found, like one that never was."""
    mine = registered(latchkey, owner=ada.account)
    for action, page in (("change", ""), ("secret", "/secret"), ("delete", "/delete")):
        shown = ada.open(f"/settings/applications/{mine.id}{page}")
        fields = ada.filled(shown, f"/settings/applications/{mine.id}/{action}", {})
        answer = ada.send(f"/settings/applications/{app.id}/{action}", fields)
        assert answer.status == 404, action
    assert ada.open(f"/settings/applications/{app.id}").status == 404
    assert app.ask(CLIENT).status == 200


def test_suspending_an_account_stops_its_tokens_until_it_is_reinstated(
    latchkey: TestApp, ada: Person, app: App
) -> None:
    """At the next request; another one isn't touched, and the grant outlives the suspension."""
    bea = someone(latchkey, "Bea")
    (token, refresh), (others, _) = ada.grant(app), bea.grant(app)
    cached(latchkey, token, others)
    ada.suspended()
    assert (works(latchkey, token), works(latchkey, others)) == (False, True)
    ada.reinstated()
    assert works(latchkey, app.refresh(refresh).json()["access_token"])


def test_deleting_an_account_stops_its_tokens(latchkey: TestApp, ada: Person, app: App) -> None:
    """At the next request."""
    token, _ = ada.grant(app)
    cached(latchkey, token)
    ada.leaves()
    assert not works(latchkey, token)


def test_proving_the_address_for_the_first_time_ends_earlier_grants(latchkey: TestApp, app: App) -> None:
    """Whoever had the account before may have been someone else: tokens, refresh tokens and codes of that time end."""
    ada = someone(latchkey, verified=False)
    token, refresh = ada.grant(app)
    code = ada.code(app)
    cached(latchkey, token)
    latchkey.clock.forward(1)
    ada.proves_address()
    assert not works(latchkey, token)
    assert refusal(app.refresh(refresh)) == USED
    assert refusal(app.redeem(code)) == USED
    latchkey.clock.forward(1)
    token, refresh = ada.grant(app)
    assert works(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_proving_another_address_later_ends_nothing(latchkey: TestApp, ada: Person, app: App) -> None:
    """The account was its owner's already."""
    token, refresh = ada.grant(app)
    latchkey.clock.forward(1)
    ada.proves_address()
    assert works(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_grant_is_kept_for_30_days_after_its_end_and_tickets_as_long(latchkey: TestApp, ada: Person, app: App) -> None:
    """Reuse is found as long as it could matter, and then everything is forgotten."""
    _, refresh = ada.grant(app)
    app.refresh(refresh)
    (grant,) = Grant.by_account.query(ada.account.id)
    tickets = list(OneTimeToken.scan(OneTimeToken.grant_id == grant.id))
    assert len(tickets) == 3
    assert grant.dies_at == grant.expires_at // 1000 + 30 * 86_400
    assert {ticket.dies_at for ticket in tickets} == {grant.dies_at}
