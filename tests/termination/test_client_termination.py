"""A client is active only while its account is, and admins and the operator can delete any client."""

from collections.abc import Callable

import pytest

from chalicelib.accounts import change, invalidation, states
from chalicelib.core import clock, errors, ids
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.jobs.progress import BATCH, SETTLED_MS
from chalicelib.oauth import clients, delete_any_client, delete_client, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from tests.oauth.flow import CALLBACK, CLIENT, DEVICE, PKCE, App, as_json, is_accepted, new_user, register_client
from tests.support.harness import TestApp
from tests.support.job_runs import run_jobs, stored_jobs


def _suspend(latchkey: TestApp, app: App) -> None:
    change.set_tier_and_status(str(app.client.account_id), tier=None, status=states.SUSPENDED, actor="operator")


def _delete(latchkey: TestApp, app: App) -> None:
    owner = new_user(latchkey)
    Client(app.id).update(actions=[Client.account_id.set(owner.account.id)])
    app.client.account_id = owner.account.id
    owner.delete_account()


ENDS = pytest.mark.parametrize("end", [_suspend, _delete], ids=["suspended", "deleted"])
End = Callable[[TestApp, App], None]


@ENDS
def test_tokens_of_a_deactivated_client_are_invalid_at_the_next_request(latchkey: TestApp, end: End) -> None:
    """If a client's account is suspended or deleted, tokens of the client are rejected at the next request, despite
    cached policies.
    """
    app, ada = register_client(latchkey), new_user(latchkey)
    token, _ = ada.grant(app)
    own = app.ask(CLIENT).json()["access_token"]
    assert is_accepted(latchkey, token)
    assert is_accepted(latchkey, own)
    end(latchkey, app)
    assert not is_accepted(latchkey, token)
    # `_delete` first moves the client to another account, so the cached policy of the client's own token stays valid.
    assert not is_accepted(latchkey, own) or end is _delete


@ENDS
def test_deactivated_client_gets_no_token(latchkey: TestApp, end: End) -> None:
    """A deactivated client gets invalid_client for refresh, code exchange, client credentials, device flow and
    introspection.
    """
    app, ada = register_client(latchkey), new_user(latchkey)
    _, refresh = ada.grant(app)
    code = ada.code(app)
    device = app.post("/oauth/device_authorization", scope="read").json()["device_code"]
    end(latchkey, app)
    responses = [
        app.refresh(refresh),
        app.redeem(code),
        app.ask(CLIENT),
        app.ask(DEVICE, device_code=device),
        app.post("/oauth/device_authorization", scope="read"),
        app.post("/oauth/introspect", token=refresh),
    ]
    assert [(answer.status, answer.json()["error"]) for answer in responses] == [(401, "invalid_client")] * 6


@ENDS
def test_deactivated_client_gets_no_consent(latchkey: TestApp, end: End) -> None:
    """An authorization request of a deactivated client shows an error without a redirect, despite a remembered consent.
    A device code of the client is unknown.
    """
    app, ada = register_client(latchkey), new_user(latchkey)
    ada.grant(app)
    typed = app.post("/oauth/device_authorization", scope="read").json()["user_code"]
    end(latchkey, app)
    page = ada.open_authorization(app)
    assert (page.status, page.location) == (400, "")
    assert ada.open(f"/device?user_code={typed}").status == 404


def test_client_of_a_reinstated_account_works_again(latchkey: TestApp) -> None:
    """After reinstatement and the expiry of cached denials, earlier tokens are valid again and new ones are issued."""
    app, ada = register_client(latchkey), new_user(latchkey)
    token, refresh = ada.grant(app)
    _suspend(latchkey, app)
    change.set_tier_and_status(str(app.client.account_id), tier=None, status=states.ACTIVE, actor="operator")
    latchkey.forget()
    latchkey.gateway.cached.clear()
    assert is_accepted(latchkey, token)
    assert app.refresh(refresh).status == 200


def test_suspended_account_registers_no_client(latchkey: TestApp) -> None:
    """No client can be registered for a suspended account, because the transaction requires an active one."""
    owner = latchkey.account()
    change.set_tier_and_status(owner.id, tier=None, status=states.SUSPENDED, actor="operator")
    with pytest.raises(errors.NotFound):
        register_client(latchkey, owner=owner)


def test_client_missing_in_the_index_is_deactivated_by_the_next_run(latchkey: TestApp) -> None:
    """A client that the account's index doesn't contain yet is deactivated by the next run."""
    app = register_client(latchkey)
    _suspend(latchkey, app)
    Client(app.id).update(actions=[Client.owner_suspended_at.remove()])
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_jobs()
    assert clients.find(app.id) is None


def _store_consent(user_id: str, app: App) -> None:
    allowed = {f"{CALLBACK}  read"}
    Consent(user_id, f"acc_1#{app.id}", client_id=app.id, allowed=allowed, given_at=clock.now_ms()).save()


def _grant(app: App, count: int, latchkey: TestApp) -> list[Grant]:
    made = []
    for _ in range(count):
        grant = grants.new(latchkey.account().id, ids.new("usr"), app.id, scopes={"read"}, resources=set())
        grant.save()
        made.append(grant)
    return made


@pytest.mark.parametrize("what", ["suspension", "end"])
def test_termination_of_a_client_with_many_users_is_bounded_and_resumed(latchkey: TestApp, what: str) -> None:
    """If a client has many users, the request invalidates the cached policies of one batch of them. A job deletes the
    grants to a deleted client without further marks, and invalidates the other policies of a suspended one.
    """
    app = register_client(latchkey)
    given = _grant(app, BATCH + 3, latchkey)
    if what == "suspension":
        _suspend(latchkey, app)
    else:
        delete_client.delete(app.client)
    now_ms = clock.now_ms()
    assert [invalidation.is_marked(grant.account_id, now_ms) for grant in given].count(False) == 3
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_jobs()
    left = [invalidation.is_marked(grant.account_id, now_ms) for grant in given].count(False)
    assert left == (0 if what == "suspension" else 3)
    assert stored_jobs() == []
    assert {Grant.found(each.id) is not None for each in given} == {what == "suspension"}
    told = [each.type for grant in given for each in record.newest_first(grant.account_id, 9, kind=kinds.GRANT_REVOKED)]
    assert len(told) == (0 if what == "suspension" else len(given))


@pytest.mark.parametrize("what", ["end", "deletion of its owner"])
def test_consents_to_a_deleted_client_are_deleted(latchkey: TestApp, what: str) -> None:
    """If a client or its account is deleted, a job deletes the consents to the client."""
    owner, other = new_user(latchkey), register_client(latchkey)
    app = register_client(latchkey, owner=owner.account)
    for number in range(BATCH + 3):
        _store_consent(f"usr_{number}", app)
    _store_consent("usr_0", other)
    _grant(app, 2, latchkey)
    if what == "end":
        delete_client.delete(app.client)
    else:
        owner.delete_account()
    assert len(list(Consent.scan())) == BATCH + 3 + 1
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_jobs()
    assert [(each.account_id, each.client_id) for each in Consent.scan()] == [("acc_1", other.id)]
    run_jobs()
    assert stored_jobs() == []


def test_restarted_job_is_not_deleted_with_the_old_one(latchkey: TestApp) -> None:
    """If a job is restarted while an earlier run is in progress, the end of that run doesn't delete the restarted
    job.
    """
    app = register_client(latchkey)
    _suspend(latchkey, app)
    (old,) = stored_jobs()
    latchkey.clock.forward(SETTLED_MS / 1000)
    _suspend(latchkey, app)
    progress.save(old, is_finished=True)
    assert [each.began_at for each in stored_jobs()] == [clock.now_ms()]


def test_failing_job_doesnt_block_others(latchkey: TestApp) -> None:
    """A job that fails is left for later runs, and the others are processed."""
    broken = progress.new("nonsense", "x")
    broken.save()
    app = register_client(latchkey)
    _grant(app, BATCH + 1, latchkey)
    delete_client.delete(app.client)
    latchkey.clock.forward(SETTLED_MS / 1000)
    run_jobs()
    assert [each.id for each in stored_jobs()] == [broken.id]


def test_operator_deletes_a_client_that_registered_itself(latchkey: TestApp) -> None:
    """A self-registered client has no account to suspend, so the operator deletes it; its registration token is
    invalid, too.
    """
    body = as_json(
        latchkey, "/oauth/register", {"redirect_uris": [CALLBACK], "grant_types": ["authorization_code"]}
    ).json()
    app = App(latchkey, Client.get(body["client_id"]), body["client_secret"], CALLBACK, PKCE)
    ada = new_user(latchkey)
    token = ada.tokens(app)["access_token"]
    assert is_accepted(latchkey, token)
    ended = delete_any_client.delete(app.id, actor="operator", reason="Phishing")
    assert (ended.ended_by, ended.ended_because) == ("operator", "Phishing")
    assert not is_accepted(latchkey, token)
    assert ada.open_authorization(app).status == 400
    own = latchkey.call("GET", f"/oauth/register/{app.id}", body["registration_access_token"])
    assert own.status == 401


def test_deleted_client_document_is_not_fetched_again(latchkey: TestApp) -> None:
    """After a client is deleted by the URL of its metadata document, the document is never fetched or
    accepted again.
    """
    url = "https://client.example.com/metadata.json"
    for _ in range(2):
        ended = delete_any_client.delete(url, actor="operator")
        assert ended.deleted_at is not None
        assert ended.dies_at is None
    page = new_user(latchkey).open(f"/oauth/authorize?client_id={url}&response_type=code")
    assert page.status == 400
    assert Client.get(url).deleted_at == ended.deleted_at


def test_deletion_of_an_unknown_client_is_not_found(latchkey: TestApp) -> None:
    """Deleting a misspelled id stores nothing."""
    for client_id in ("app_nonsense", "app_00000000000000000000", "https://client.example.com", "http://a.example/x"):
        with pytest.raises(errors.NotFound):
            delete_any_client.delete(client_id, actor="operator")
    assert list(Client.scan()) == []


def test_deletion_of_a_client_is_recorded_once_for_its_account(latchkey: TestApp) -> None:
    """The deletion of a client records one event for the client's account, with actor and reason, even if the deletion
    is repeated.
    """
    app = register_client(latchkey)
    for _ in range(2):
        delete_any_client.delete(app.id, actor="operator", reason="Phishing")
    told = record.newest_first(str(app.client.account_id), 10, kind=kinds.APPLICATION_DELETED)
    assert [(event.actor, event.reason) for event in told] == [("operator", "Phishing")]
    assert len(stored_jobs()) == 1
