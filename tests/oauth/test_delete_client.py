"""Deletion of clients by their account, an admin or the operator, with their grants and consents."""

import io
import json

import pytest

from chalicelib.accounts import pending_terminations
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, ids, telemetry
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from chalicelib.oauth import clients, consent, delete_any_client, delete_client, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from tests.oauth.flow import register_client
from tests.oauth.test_clients_stored import register
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import record_calls

DAY_S = 86_400
NOON_S = START_MS // 1000
DOCUMENT = "https://client.example/client.json"


def test_client_is_deleted_once_and_kept_for_30_days(latchkey: TestApp) -> None:
    """The first deletion decrements the client count, invalidates cached policies and records an event with actor and
    reason. A second deletion changes nothing.
    """
    owner = latchkey.account()
    client = register(account_id=owner.id).client
    assert delete_client.start_deletion(client, actor="acc_admin", reason="abuse") is not None
    assert delete_client.start_deletion(client, actor="acc_other", reason="again") is None
    stored = Client.get(client.client_id)
    assert (stored.deleted_at, stored.dies_at) == (START_MS, NOON_S + 30 * DAY_S)
    assert (stored.ended_by, stored.ended_because) == ("acc_admin", "abuse")
    assert Account.get(owner.id).applications == 0
    assert stale_marks.is_marked(owner.id, START_MS)
    (event,) = record.newest_first(owner.id, 9, kind=kinds.APPLICATION_DELETED)
    assert (event.actor, event.reason) == ("acc_admin", "abuse")
    assert event.changed.as_dict() == {"application": client.client_id, "name": "Photos"}
    assert [each.subject for each in pending_terminations.all_pending()] == [client.client_id]
    assert (clients.find(client.client_id), list(clients.list_of_account(owner.id))) == (None, [])


def test_client_deleted_by_its_account_has_no_actor_or_reason(latchkey: TestApp) -> None:
    """A client that its account deletes is stored without an actor and a reason. If the client has a document, it is
    kept forever, because the document could otherwise be fetched again.
    """
    own = register(account_id=latchkey.account().id).client
    document = register(registered_by="document", dies_at=NOON_S + 9).client
    for client in (own, document):
        delete_client.delete(client)
        assert Client.get(client.client_id).attribute_values.keys().isdisjoint({"ended_by", "ended_because"})
    assert Client.get(own.client_id).dies_at == NOON_S + 30 * DAY_S
    assert "dies_at" not in Client.get(document.client_id).attribute_values


def test_unknown_client_is_not_deleted(latchkey: TestApp) -> None:
    """Deleting an unknown client creates no item."""
    client = Client(ids.new("app"), name="Photos", registered_by="self")
    assert delete_client.start_deletion(client) is None
    assert Client.found(client.client_id) is None


def store_grants(client_id: str, count: int) -> list[str]:
    """Store grants and consents of several accounts for a client and return the ids of the grants in order."""
    grant_ids = []
    for number in range(count):
        grant = grants.new(f"acc_{number}", client_id, scopes={"read"}, resources=set())
        grant.save()
        Consent(grant.account_id, client_id, allowed={"x  read"}, given_at=START_MS).save()
        grant_ids.append(grant.id)
    return sorted(grant_ids)


def are_revoked(grant_ids: list[str]) -> list[bool]:
    """Return for each grant whether it is revoked."""
    return ["revoked_at" in Grant.get(each).attribute_values for each in grant_ids]


def test_grants_of_a_deleted_client_are_revoked_in_slices(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion revokes all grants and then deletes all consents, in batches. Each batch continues where the last one
    ended.
    """
    monkeypatch.setattr(delete_client, "SLICE", 3)
    client = register(registered_by="self").client
    grant_ids = store_grants(client.client_id, 6)
    whole = pending_terminations.new(pending_terminations.OF_CLIENT, client.client_id)
    assert (delete_client.finish_deletion(whole), whole.after) == (False, grant_ids[2])
    assert are_revoked(grant_ids) == [True] * 3 + [False] * 3
    assert (delete_client.finish_deletion(whole), whole.after) == (False, grant_ids[5])
    assert len(list(Consent.scan())) == 6
    assert (delete_client.finish_deletion(whole), whole.after) == (False, "acc_2")
    assert len(list(Consent.scan())) == 3
    assert (delete_client.finish_deletion(whole), whole.after) == (False, "acc_5")
    assert list(Consent.scan()) == []
    # The deletion is then repeated from the start, because the index may not have contained the newest grants.
    assert delete_client.finish_deletion(whole)
    assert not any((whole.step, whole.after))
    beyond = store_grants(client.client_id, 2)
    behind = pending_terminations.new(pending_terminations.OF_CLIENT, client.client_id)
    behind.after = beyond[0]
    assert [delete_client.finish_deletion(behind) for _ in range(2)] == [False, True]
    assert are_revoked(beyond) == [False, True]


def test_applications_from_before_the_verification_are_deleted(latchkey: TestApp) -> None:
    """Applications that were registered before the email verification are deleted. Those of the same millisecond or
    later stay.
    """
    owner = latchkey.account()
    early = register(account_id=owner.id).client
    latchkey.clock.now_ms += 1
    later = register(account_id=owner.id).client
    owner.update(actions=[Account.credentials_since.set(START_MS + 1)])
    with record_calls() as calls:
        delete_client.delete_unverified(owner.id)
    assert [each.client_id for each in clients.list_of_account(owner.id)] == [later.client_id]
    assert Client.get(early.client_id).deleted_at == START_MS + 1
    reads = [request for operation, request in calls if operation == "GetItem"]
    assert all(request.get("ConsistentRead") for request in reads)


def test_document_url_can_be_blocked_before_its_first_use(latchkey: TestApp) -> None:
    """If a document is deleted before its first use, its URL is stored as a deleted client with actor and reason.
    Repeating the deletion changes nothing.
    """
    log = io.StringIO()
    telemetry.write_to(log)
    for reason in ("abuse", "again"):
        client = delete_any_client.delete(DOCUMENT, actor="acc_admin", reason=reason)
        assert (client.deleted_at, client.ended_by, client.ended_because) == (START_MS, "acc_admin", "abuse")
        latchkey.clock.forward(1)
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(line["message"], line["client_id"], line["actor"]) for line in logged} == {
        ("client_ended", DOCUMENT, "acc_admin")
    }
    assert (client.name, client.uri, client.auth_method) == ("client.example", DOCUMENT, "none")
    assert (client.registered_by, client.created_at) == ("document", START_MS)
    assert (client.grant_types, client.scopes) == ({clients.CODE}, {"read", "write"})
    assert "dies_at" not in client.attribute_values


def test_unknown_or_invalid_client_id_cannot_be_deleted(latchkey: TestApp) -> None:
    """A generated id that doesn't exist, or a URL that can't be a client id, is not found."""
    for client_id in ("app_" + "0" * 20, "x", "https://client.example", "https://client.example/a/../b", "http://a/b"):
        with pytest.raises(errors.NotFound, match="no such application"):
            delete_any_client.delete(client_id, actor="acc_admin")
        assert not delete_any_client.is_document_url(client_id)
    assert delete_any_client.is_document_url(DOCUMENT)
    assert list(Client.scan()) == []


def test_unfetched_document_is_named_by_its_whole_host(latchkey: TestApp) -> None:
    """A client whose document was never fetched is named by its whole host, because the end identifies the host's
    operator.
    """
    host = ".".join(["x" * 60, "y" * 60, "example"])
    assert delete_any_client.delete(f"https://{host}/a", actor="acc_admin").name == host


def test_deleted_client_is_read_consistently(latchkey: TestApp) -> None:
    """Every read of the deletion is strongly consistent, so the returned client is the deleted one."""
    client = register_client(latchkey).client
    with record_calls() as calls:
        delete_any_client.delete(client.client_id, actor="acc_admin")
    reads = [request.get("ConsistentRead") for operation, request in calls if operation == "GetItem"]
    assert reads
    assert all(reads)


def test_consent_to_a_deleted_client_is_deleted(latchkey: TestApp) -> None:
    """Deleting a client deletes the consents to it, and keeps the consents to other clients."""
    account, mine, other = latchkey.account(), register_client(latchkey), register_client(latchkey)
    for app in (mine, other):
        consent.remember(account.id, app.id, {"https://a.example  read"})
        grants.new(account.id, app.id, scopes={"read"}, resources=set()).save()
    delete_client.delete(mine.client)
    assert [each.client_id for each in Consent.query(account.id)] == [other.id]
