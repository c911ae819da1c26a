"""Deletion of clients by their account, an admin or the operator, with their grants and consents."""

import io
import json

import pytest

from chalicelib.accounts import invalidation
from chalicelib.accounts.tables import Account
from chalicelib.core import errors, ids, telemetry
from chalicelib.events import actors, kinds, record
from chalicelib.jobs import progress
from chalicelib.oauth import clients, consent, delete_any_client, delete_client, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from tests.oauth.flow import register_client
from tests.oauth.test_clients_stored import register
from tests.support.harness import START_MS, TestApp
from tests.support.interleaving import record_calls
from tests.support.job_runs import run_jobs, stored_jobs

DAY_S = 86_400
NOON_S = START_MS // 1000
DOCUMENT = "https://client.example/client.json"


def test_client_is_deleted_once_and_kept_for_30_days(latchkey: TestApp) -> None:
    """The first deletion decrements the client count, invalidates cached policies and records an event with actor and
    reason. A second deletion changes nothing.
    """
    owner = latchkey.account()
    client = register(account_id=owner.id).client
    assert delete_client.start_deletion(client, actor="usr_admin", reason="abuse")
    assert not delete_client.start_deletion(client, actor="usr_other", reason="again")
    stored = Client.get(client.client_id)
    assert (stored.deleted_at, stored.dies_at) == (START_MS, NOON_S + 30 * DAY_S)
    assert (stored.ended_by, stored.ended_because) == ("usr_admin", "abuse")
    assert Account.get(owner.id).applications == 0
    assert invalidation.is_marked(owner.id, START_MS)
    (event,) = record.newest_first(owner.id, 9, kind=kinds.APPLICATION_DELETED)
    assert (event.actor, event.reason) == ("usr_admin", "abuse")
    assert event.changed.as_dict() == {"application": client.client_id, "name": "Photos"}
    assert [each.subject for each in stored_jobs()] == [client.client_id]
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
    assert not delete_client.start_deletion(client)
    assert Client.found(client.client_id) is None


def store_grants(client_id: str, count: int) -> list[str]:
    """Store grants and consents of several accounts for a client and return the ids of the grants in order."""
    grant_ids = []
    for number in range(count):
        grant = grants.new(f"acc_{number}", f"usr_{number}", client_id, scopes={"read"}, resources=set())
        grant.save()
        key = consent.key_of(grant.user_id, grant.account_id, client_id)
        Consent(key.user_id, key.grantee, client_id=client_id, allowed={"x  read"}, given_at=START_MS).save()
        grant_ids.append(grant.id)
    return sorted(grant_ids)


def are_deleted(grant_ids: list[str]) -> list[bool]:
    """Return for each grant whether it is deleted."""
    return [Grant.found(each) is None for each in grant_ids]


def test_grants_of_a_deleted_client_are_deleted_in_batches(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion deletes all grants and then deletes all consents, in batches. Each batch continues where the last one
    ended. A client that isn't deleted, because its table was restored, keeps its grants.
    """
    monkeypatch.setattr(delete_client, "GRANTS_BATCH", 3)
    client = register(registered_by="self").client
    grant_ids = store_grants(client.client_id, 6)
    whole = progress.new(progress.OF_CLIENT, client.client_id)
    assert delete_client.finish_deletion(whole)
    assert are_deleted(grant_ids) == [False] * 6
    delete_client.start_deletion(client)
    assert (delete_client.finish_deletion(whole), whole.after) == (False, grant_ids[2])
    assert are_deleted(grant_ids) == [True] * 3 + [False] * 3
    assert (delete_client.finish_deletion(whole), whole.after) == (False, grant_ids[5])
    assert len(list(Consent.scan())) == 6
    assert (delete_client.finish_deletion(whole), whole.after) == (False, "usr_2")
    assert len(list(Consent.scan())) == 3
    assert (delete_client.finish_deletion(whole), whole.after) == (False, "usr_5")
    assert list(Consent.scan()) == []
    # The deletion is then repeated from the start, because the index may not have contained the newest grants.
    assert delete_client.finish_deletion(whole)
    assert not any((whole.step, whole.after))
    beyond = store_grants(client.client_id, 2)
    behind = progress.new(progress.OF_CLIENT, client.client_id)
    behind.after = beyond[0]
    assert delete_client.finish_deletion(behind)
    assert are_deleted(beyond) == [False, True]


def test_a_repeated_batch_records_each_deleted_grant_once(latchkey: TestApp) -> None:
    """The event of a deleted grant is the same in every repetition: at the time of the deletion, by the client."""
    client = register(registered_by="self").client
    (grant_id,) = store_grants(client.client_id, 1)
    grant = Grant.get(grant_id)
    revoked = grants.new("acc_0", "usr_0", client.client_id, scopes={"read"}, resources=set())
    revoked.revoked_at = START_MS
    latchkey.clock.forward(9)
    for _ in range(2):
        grants.delete_with_client([grant, revoked], at_ms=START_MS + 1)
        latchkey.clock.forward(9)
    (event,) = record.newest_first("acc_0", 9)
    assert (event.type, event.at, event.id) == (kinds.GRANT_REVOKED, START_MS + 1, event.id)
    assert ids.is_id(event.id, "evt")
    assert ids.first_at("evt", START_MS + 1) < event.id < ids.first_at("evt", START_MS + 2)
    details = {"grant": grant_id, "application": client.client_id, "scopes": "read"}
    assert record.render(event) == {
        **record.render_unredacted(event),
        "actor": client.client_id,
        "changed": details,
    }
    assert (event.actor, event.needs_no_mark) == (actors.SYSTEM, True)
    assert not invalidation.is_marked("acc_0", START_MS)
    assert Grant.found(grant_id) is None


def test_the_first_users_of_a_deleted_client_are_marked(latchkey: TestApp) -> None:
    """A deletion invalidates the cached policies of the first fifty users, and leaves the grants to the job."""
    client = register(registered_by="self").client
    grant_ids = store_grants(client.client_id, progress.BATCH + 1)
    delete_client.delete(client)
    marked = [invalidation.is_marked(Grant.get(each).account_id, START_MS) for each in grant_ids]
    assert marked == [True] * progress.BATCH + [False]


def test_applications_from_before_the_verification_are_deleted(latchkey: TestApp) -> None:
    """Applications that were registered before the email verification are deleted. Those of the same millisecond or
    later stay.
    """
    owner = latchkey.account()
    early = register(account_id=owner.id).client
    latchkey.clock.now_ms += 1
    later = register(account_id=owner.id).client
    owner.account.credentials_since = START_MS + 1
    delete_client.delete_unverified(owner.account)
    assert [each.client_id for each in clients.list_of_account(owner.id)] == [later.client_id]
    assert Client.get(early.client_id).deleted_at == START_MS + 1


def test_applications_of_a_user_from_before_the_verification_are_deleted(latchkey: TestApp) -> None:
    """In another user's account, only those of the verified user are deleted."""
    owner = latchkey.account()
    guest = latchkey.member(owner, "admin")
    early, others = (register(account_id=owner.id, user_id=user.user_id).client for user in (guest, owner))
    latchkey.clock.now_ms += 1
    later = register(account_id=owner.id, user_id=guest.user_id).client
    guest.user.credentials_since = START_MS + 1
    delete_client.delete_unverified_of_user(owner.account, guest.user)
    left = [each.client_id for each in clients.list_of_account(owner.id)]
    assert (left, early.client_id in left) == (sorted([others.client_id, later.client_id]), False)


def test_consents_of_one_user_are_deleted_across_slices(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a batch ends between two consents of the same user, for two accounts, the next one deletes the other."""
    monkeypatch.setattr(delete_client, "GRANTS_BATCH", 1)
    client = register(registered_by="self").client
    for account_id in ("acc_1", "acc_2"):
        key = consent.key_of("usr_1", account_id, client.client_id)
        Consent(key.user_id, key.grantee, client_id=client.client_id, allowed={"x  read"}, given_at=START_MS).save()
    delete_client.start_deletion(client)
    whole = progress.new(progress.OF_CLIENT, client.client_id)
    assert [delete_client.finish_deletion(whole) for _ in range(3)] == [False, False, True]
    assert list(Consent.scan()) == []


def test_document_url_can_be_blocked_before_its_first_use(latchkey: TestApp) -> None:
    """If a document is deleted before its first use, its URL is stored as a deleted client with actor and reason.
    Repeating the deletion changes nothing.
    """
    log = io.StringIO()
    telemetry.write_to(log)
    for reason in ("abuse", "again"):
        client = delete_any_client.delete(DOCUMENT, actor="usr_admin", reason=reason)
        assert (client.deleted_at, client.ended_by, client.ended_because) == (START_MS, "usr_admin", "abuse")
        latchkey.clock.forward(1)
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(line["message"], line["client_id"], line["actor"]) for line in logged} == {
        ("client_ended", DOCUMENT, "usr_admin")
    }
    assert (client.name, client.uri, client.auth_method) == ("client.example", DOCUMENT, "none")
    assert (client.registered_by, client.created_at) == ("document", START_MS)
    assert (client.grant_types, client.scopes) == ({clients.CODE}, {"read", "write"})
    assert "dies_at" not in client.attribute_values


def test_unknown_or_invalid_client_id_cannot_be_deleted(latchkey: TestApp) -> None:
    """A generated id that doesn't exist, or a URL that can't be a client id, is not found."""
    for client_id in ("app_" + "0" * 20, "x", "https://client.example", "https://client.example/a/../b", "http://a/b"):
        with pytest.raises(errors.NotFound, match="no such application"):
            delete_any_client.delete(client_id, actor="usr_admin")
        assert not delete_any_client.is_document_url(client_id)
    assert delete_any_client.is_document_url(DOCUMENT)
    assert list(Client.scan()) == []


def test_unfetched_document_is_named_by_its_whole_host(latchkey: TestApp) -> None:
    """A client whose document was never fetched is named by its whole host, because the end identifies the host's
    operator.
    """
    host = ".".join(["x" * 60, "y" * 60, "example"])
    assert delete_any_client.delete(f"https://{host}/a", actor="usr_admin").name == host


def test_deleted_client_is_read_consistently(latchkey: TestApp) -> None:
    """Every read of the deletion is strongly consistent, so the returned client is the deleted one."""
    client = register_client(latchkey).client
    with record_calls() as calls:
        delete_any_client.delete(client.client_id, actor="usr_admin")
    reads = [request.get("ConsistentRead") for operation, request in calls if operation == "GetItem"]
    assert reads
    assert all(reads)


def test_consent_to_a_deleted_client_is_deleted(latchkey: TestApp) -> None:
    """Deleting a client deletes the consents to it, and keeps the consents to other clients."""
    account, mine, other = latchkey.account(), register_client(latchkey), register_client(latchkey)
    for app in (mine, other):
        consent.remember(account.membership, app.id, {"https://a.example  read"})
        grants.new(account.id, account.user_id, app.id, scopes={"read"}, resources=set()).save()
    delete_client.delete(mine.client)
    run_jobs()
    assert [each.client_id for each in Consent.query(account.user_id)] == [other.id]
