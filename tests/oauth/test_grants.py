"""Revocation of grants: tokens are invalid at the next request, even if API Gateway has cached the policy."""

from chalicelib.core import telemetry
from chalicelib.oauth.tables import Grant, OneTimeToken
from tests.oauth.flow import CLIENT, App, User, error_of, is_accepted, new_user, register_client
from tests.support.harness import TestApp

USED = (400, "invalid_grant")


def cache_policies(latchkey: TestApp, *tokens: str) -> None:
    """Send a request with each token, so that API Gateway caches its policy."""
    for token in tokens:
        assert is_accepted(latchkey, token)
        with telemetry.record_calls() as calls:
            assert is_accepted(latchkey, token)
        assert [operation for operation, _ in calls.made] == ["UpdateItem"]


def test_disconnecting_revokes_all_grants_of_the_client(latchkey: TestApp, ada: User, app: App) -> None:
    """Disconnecting an app revokes its tokens and codes on all devices. Tokens of other apps stay valid."""
    other = register_client(latchkey)
    first, second, others = ada.grant(app), ada.grant(app), ada.grant(other)
    code = ada.code(app)
    cache_policies(latchkey, first[0], second[0], others[0])
    assert ada.submit("/settings/connected", client_id=app.id).status == 303
    assert [is_accepted(latchkey, token) for token, _ in (first, second, others)] == [False, False, True]
    assert [app.refresh(token).status for _, token in (first, second)] == [400, 400]
    assert error_of(app.redeem(code)) == USED
    assert other.refresh(others[1]).status == 200


def test_disconnecting_keeps_the_grants_of_other_accounts(latchkey: TestApp, ada: User, app: App) -> None:
    """Disconnecting an app doesn't revoke the grants of other accounts."""
    token, _ = ada.grant(app)
    cache_policies(latchkey, token)
    eve, other = new_user(latchkey, "Eve"), register_client(latchkey)
    eve.allow(other)
    asks = f"/settings/connected/disconnect?client_id={other.id}"
    assert eve.submit("/settings/connected", on=asks, client_id=app.id).status == 303
    assert is_accepted(latchkey, token)


def test_deleting_a_client_revokes_its_grants_and_client_tokens(latchkey: TestApp, ada: User) -> None:
    """Deleting a client in the console invalidates its tokens and codes, and its id is unknown from then on."""
    owner, bea = new_user(latchkey, "Owner"), new_user(latchkey, "Bea")
    app = register_client(latchkey, owner=owner.account)
    tokens = [ada.grant(app)[0], bea.grant(app)[0], app.ask(CLIENT).json()["access_token"]]
    code = ada.code(app)
    cache_policies(latchkey, *tokens)
    page = owner.submit(f"/settings/applications/{app.id}/delete", on=f"/settings/applications/{app.id}")
    assert page.status == 303
    assert [is_accepted(latchkey, token) for token in tokens] == [False] * 3
    assert error_of(app.redeem(code)) == (401, "invalid_client")
    assert ada.open_authorization(app).status == 400
    assert app.id not in ada.open("/settings/connected").html
    assert owner.open(f"/settings/applications/{app.id}").status == 404


def test_clients_of_other_accounts_are_not_found(latchkey: TestApp, ada: User, app: App) -> None:
    """Another account's client is not found, exactly like a client that doesn't exist."""
    mine = register_client(latchkey, owner=ada.account)
    for action, page in (("change", ""), ("secret", "/secret"), ("delete", "/delete")):
        page_shown = ada.open(f"/settings/applications/{mine.id}{page}")
        fields = ada.fill(page_shown, f"/settings/applications/{mine.id}/{action}", {})
        response = ada.send(f"/settings/applications/{app.id}/{action}", fields)
        assert response.status == 404, action
    assert ada.open(f"/settings/applications/{app.id}").status == 404
    assert app.ask(CLIENT).status == 200


def test_suspended_account_has_no_valid_tokens(latchkey: TestApp, ada: User, app: App) -> None:
    """Tokens of a suspended account are invalid until it is reinstated; other accounts aren't affected."""
    bea = new_user(latchkey, "Bea")
    (token, refresh), (others, _) = ada.grant(app), bea.grant(app)
    cache_policies(latchkey, token, others)
    ada.suspend()
    assert (is_accepted(latchkey, token), is_accepted(latchkey, others)) == (False, True)
    ada.reinstate()
    assert is_accepted(latchkey, app.refresh(refresh).json()["access_token"])


def test_deleted_account_has_no_valid_tokens(latchkey: TestApp, ada: User, app: App) -> None:
    """All tokens of a deleted account are invalid from the next request on."""
    token, _ = ada.grant(app)
    cache_policies(latchkey, token)
    ada.delete_account()
    assert not is_accepted(latchkey, token)


def test_first_email_verification_revokes_earlier_grants(latchkey: TestApp, app: App) -> None:
    """The first verification revokes earlier tokens and codes, because another user may have created the account."""
    ada = new_user(latchkey, verified=False)
    token, refresh = ada.grant(app)
    code = ada.code(app)
    cache_policies(latchkey, token)
    latchkey.clock.forward(1)
    ada.verify_email()
    assert not is_accepted(latchkey, token)
    assert error_of(app.refresh(refresh)) == USED
    assert error_of(app.redeem(code)) == USED
    latchkey.clock.forward(1)
    token, refresh = ada.grant(app)
    assert is_accepted(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_later_email_verification_revokes_nothing(latchkey: TestApp, ada: User, app: App) -> None:
    """A verification of a new address revokes no grant, because the account had a verified address before."""
    token, refresh = ada.grant(app)
    latchkey.clock.forward(1)
    ada.verify_email()
    assert is_accepted(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_grant_is_kept_for_30_days_after_its_expiry(latchkey: TestApp, ada: User, app: App) -> None:
    """A grant, its codes and refresh tokens are kept for 30 days after its expiry, to detect reuse, and then
    deleted.
    """
    _, refresh = ada.grant(app)
    app.refresh(refresh)
    (grant,) = Grant.by_account.query(ada.account.id)
    one_time_tokens = list(OneTimeToken.scan(OneTimeToken.grant_id == grant.id))
    assert len(one_time_tokens) == 3
    assert grant.dies_at == grant.expires_at // 1000 + 30 * 86_400
    assert {each.dies_at for each in one_time_tokens} == {grant.dies_at}
