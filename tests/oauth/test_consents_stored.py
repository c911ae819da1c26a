"""Consents in DynamoDB: their entries, validity, withdrawal and deletion."""

import pytest
from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import members
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds
from chalicelib.jobs import progress
from chalicelib.jobs.tables import Job
from chalicelib.oauth import consent, grants
from chalicelib.oauth.tables import Client, Consent, Grant
from tests.credentials.events import recorded_events
from tests.support.harness import START_MS, AccountOfTest, TestApp
from tests.support.interleaving import fail_calls, record_calls, run_after
from tests.support.job_runs import stored_jobs

HERE, THERE = "https://a.example/cb", "https://b.example/cb"
FILES = "https://files.example.com"
APP, OTHER = "app_" + "1" * 20, "app_" + "2" * 20


def store_client(client_id: str) -> None:
    """Store an active client with this id, because only a consent to such a client is remembered."""
    Client(client_id).update(actions=[Client.created_at.set(START_MS), Client.name.set("Photos")])


@pytest.fixture(autouse=True)
def _stored_clients(latchkey: TestApp) -> None:
    for client_id in (APP, OTHER):
        store_client(client_id)


def entries(*scopes: str, uri: str = HERE) -> set[str]:
    """Return the entries of a consent to these scopes without a resource."""
    return consent.entries(uri, scopes or ("read",), [])


def find(account: AccountOfTest, client_id: str = APP) -> Consent | None:
    """Return the stored consent of the account's user to the client."""
    return Consent.found(account.user_id, f"{account.id}#{client_id}")


@pytest.mark.parametrize(
    ("uri", "scopes", "resources", "remembered"),
    [
        (HERE, ["read"], [], {"https://a.example  read"}),
        (HERE, ["read", "write"], [], {"https://a.example  read", "https://a.example  write"}),
        (HERE, ["read"], [FILES], {f"https://a.example {FILES} read"}),
        ("app:/cb", ["read"], [FILES, "x"], {f"app:/cb {FILES} read", "app:/cb x read"}),
        (HERE, [], [FILES], set()),
    ],
)
def test_consent_has_an_entry_per_scope_resource_and_recipient(
    uri: str, scopes: list[str], resources: list[str], remembered: set[str]
) -> None:
    """A consent has an entry for each combination of scope, resource and recipient. Without a resource, the resource in
    the entry is empty.
    """
    assert consent.entries(uri, scopes, resources) == remembered


def test_consent_is_remembered_while_it_is_valid(latchkey: TestApp) -> None:
    """A valid consent covers only its entries, recipient and client, and never a shared redirect URI."""
    account, client = latchkey.account(), Client(APP)
    consent.remember(account.membership, APP, entries("read", "write") | entries(uri="http://127.0.0.1/"))

    def remembered(allowed: set[str], uri: str = HERE, client: Client = client) -> bool:
        found = consent.given([account.membership], client).get(account.id)
        return consent.covers(found, redirect_uri=uri, allowed=allowed)

    assert remembered(entries())
    assert remembered(entries("read", "write"))
    assert not remembered(entries("read", "keys"))
    assert not remembered(entries(uri=THERE), THERE)
    assert not remembered(entries(), client=Client(OTHER))
    assert not remembered(entries(uri="http://127.0.0.1/"), "http://127.0.0.1/")
    assert consent.is_given_at([account.membership], client, f"{HERE}/elsewhere")
    assert not consent.is_given_at([account.membership], client, "https://a.exampl")
    assert not consent.is_given_at([account.membership], Client(OTHER), HERE)
    assert not consent.is_given_at([], client, HERE)


@pytest.mark.parametrize("name", ["account", "user", "member"])
def test_consent_is_valid_since_account_user_and_membership_are(latchkey: TestApp, name: str) -> None:
    """A consent is invalid if it predates the first verification of the user's address or that of the account's
    creator, or the membership.
    """
    account, client = latchkey.account(), Client(APP)
    consent.remember(account.membership, APP, entries())
    subject = getattr(account.membership, name)
    for since_ms, is_valid in ((START_MS, True), (START_MS + 1, False)):
        setattr(subject, "since" if name == "member" else "credentials_since", since_ms)
        assert bool(consent.given([account.membership], client)) is is_valid
        assert consent.is_given_at([account.membership], client, HERE) is is_valid
        assert bool(list(consent.of_membership(account.membership))) is is_valid


def test_consent_is_for_one_account_of_the_user(latchkey: TestApp) -> None:
    """A consent for one account of a user covers neither the user's other accounts, nor another user of the account."""
    account, client = latchkey.account(), Client(APP)
    guest = latchkey.member(account, "developer")
    both = members.all_of(User.get(guest.user_id))
    consent.remember(guest.membership, APP, entries())
    assert [each.account.id for each in both] != [account.id]
    assert consent.given(both, client).keys() == {account.id}
    assert consent.given([account.membership], client) == {}
    assert list(consent.of_membership(account.membership)) == []
    (own,) = (each for each in both if each.account.id != account.id)
    assert list(consent.of_membership(own)) == []


def test_consent_of_a_removed_member_is_not_remembered(latchkey: TestApp) -> None:
    """If the user is removed from the account while consenting, nothing is stored."""
    guest = latchkey.member(latchkey.account(), "developer")
    with models.transaction() as write:
        members.remove_from(write, guest.membership.member, guest.membership.manager)
    consent.remember(guest.membership, APP, entries())
    assert find(guest) is None


def test_consents_of_an_account_are_read_consistently(latchkey: TestApp) -> None:
    """All consents of an account are read with strong consistency."""
    account = latchkey.account()
    for client_id in (APP, OTHER):
        consent.remember(account.membership, client_id, entries())
    with record_calls() as calls:
        assert [each.client_id for each in consent.of_membership(account.membership)] == [APP, OTHER]
    assert all(request["ConsistentRead"] for _, request in calls)


@pytest.mark.parametrize("of", ["account", "user"])
@pytest.mark.parametrize(("since_ms", "allowed"), [(0, {"read", "write"}), (1, {"write"})])
def test_consent_extends_a_valid_one_and_replaces_an_invalid_one(
    latchkey: TestApp, of: str, since_ms: int, allowed: set[str]
) -> None:
    """A new consent extends a consent from the millisecond `credentials_since` or later, and replaces any older
    consent.
    """
    account = latchkey.account()
    consent.remember(account.membership, APP, entries())
    _set_credentials_since(account, of, START_MS + since_ms)
    latchkey.clock.now_ms += 5
    with record_calls() as calls:
        consent.remember(account.membership, APP, entries("write"))
    stored = find(account)
    assert stored is not None
    assert (stored.scopes, stored.given_at, stored.client_id) == (allowed, START_MS + 5, APP)
    assert recorded_events(account.id) == [
        (kinds.CONSENT_REMEMBERED, {"application": APP, "scopes": "read"}),
        (kinds.CONSENT_REMEMBERED, {"application": APP, "scopes": "write"}),
    ]
    reads = [request for operation, request in calls if operation == "BatchGetItem"]
    assert all(keys["ConsistentRead"] for request in reads for keys in request["RequestItems"].values())
    assert all(request.get("ConsistentRead") for operation, request in calls if operation == "GetItem")


def _set_credentials_since(account: AccountOfTest, of: str, since_ms: int) -> None:
    """Store the time of the first verification of the account's creator, or of its user. The membership is as old."""
    since = Account.credentials_since.set(since_ms)
    if of == "account":
        Account(account.id).update(actions=[since])
        Member(account.id, account.user_id).update(actions=[Member.since.set(since_ms)])
    else:
        User(account.user_id).update(actions=[User.credentials_since.set(since_ms)])


def test_concurrent_replacements_are_merged(latchkey: TestApp) -> None:
    """Of two concurrent calls that replace an invalid consent, the second adds its scopes to those of the first."""
    account = latchkey.account()
    consent.remember(account.membership, APP, entries("keys"))
    _set_credentials_since(account, "user", START_MS + 1)
    latchkey.clock.forward(1)
    # `run_after` runs the second call when the first has found the invalid consent, and before the first replaces it.
    with run_after("TransactWriteItems", lambda: consent.remember(account.membership, APP, entries("write"))):
        consent.remember(account.membership, APP, entries())
    stored = find(account)
    assert stored is not None
    assert stored.scopes == {"read", "write"}
    assert len(recorded_events(account.id)) == 3


def test_database_error_is_not_taken_for_a_failed_condition(latchkey: TestApp) -> None:
    """A database error during remembering, withdrawing or deleting a consent is raised unchanged."""
    account = latchkey.account()
    with fail_calls("TransactWriteItems"):
        with pytest.raises(TransactWriteError):
            consent.remember(account.membership, APP, entries())
        with pytest.raises(TransactWriteError):
            consent.withdraw(account.user_id, account.id, APP)
        with pytest.raises(TransactWriteError):
            consent.delete_until(_store_consent(latchkey, account), START_MS, 9)
    assert find(account) is not None


def _store_consent(latchkey: TestApp, account: AccountOfTest) -> str:
    """Store a consent directly and return the id of its user."""
    key = consent.key_of(account.user_id, account.id, APP)
    key.client_id, key.allowed, key.given_at = APP, entries(), latchkey.clock.now_ms
    key.save()
    return account.user_id


@pytest.mark.parametrize(
    ("allowed", "stands"),
    [(entries(), True), (entries("read", "write"), True), (entries("keys"), False), (set(), True)],
)
def test_transaction_can_require_a_consent(latchkey: TestApp, allowed: set[str], stands: bool) -> None:
    """A transaction can require that a consent exists and has certain entries. If this fails, it is recognised as a
    withdrawal.
    """
    account = latchkey.account()
    consent.remember(account.membership, APP, entries("read", "write"))
    refusals = []
    for client_id in (APP, OTHER):
        key = consent.key_of(account.user_id, account.id, client_id)
        try:
            with models.transaction() as write:
                consent.require_remembered(write, key, allowed)
                write.update(Account(account.id), actions=[Account.name.set("Met")])
        except TransactWriteError as error:
            refusals.append(consent.was_withdrawn(error, key))
    assert refusals == [True] * (1 if stands else 2)


def test_failure_of_another_write_is_no_withdrawal(latchkey: TestApp) -> None:
    """If another condition of the transaction failed, the error isn't taken for a withdrawn consent."""
    account = latchkey.account()
    consent.remember(account.membership, APP, entries())
    key = consent.key_of(account.user_id, account.id, APP)
    never, failures = Account.id.does_not_exist(), []
    try:
        with models.transaction() as write:
            consent.require_remembered(write, key, entries())
            write.update(Account(account.id), actions=[Account.name.set("Met")], condition=never)
    except TransactWriteError as error:
        failures.append(consent.was_withdrawn(error, key))
    assert (failures, Account.get(account.id).name) == ([False], "Ada")


def grant(account: AccountOfTest, client_id: str = APP) -> Grant:
    """Store a grant."""
    stored_grants = grants.new(account.id, account.user_id, client_id, scopes={"read"}, resources=set())
    stored_grants.save()
    return stored_grants


def are_active(*stored_grants: Grant) -> list[bool]:
    """Return for each grant whether it is active."""
    return [Grant.get(each.id).is_active() for each in stored_grants]


def test_withdrawal_revokes_the_grants_of_the_client_only(latchkey: TestApp) -> None:
    """A withdrawal revokes only the user's grants to this client for this account and records one event. A job
    is stored, because the index may not contain the newest grants yet.
    """
    account, other = latchkey.account(), latchkey.account(name="Bea")
    consent.remember(account.membership, APP, entries())
    guest = latchkey.member(account, "developer")
    mine, others, elsewhere, of_guest = grant(account), grant(account, OTHER), grant(other), grant(guest)
    latchkey.clock.forward(1)
    consent.withdraw(account.user_id, account.id, APP)
    assert find(account) is None
    assert are_active(mine, others, elsewhere, of_guest) == [False, True, True, True]
    assert recorded_events(account.id, but=1) == [
        (kinds.CONSENT_WITHDRAWN, {"application": APP}),
        (kinds.GRANT_REVOKED, {"grant": mine.id, "application": APP, "scopes": "read"}),
    ]
    (left,) = stored_jobs()
    assert (left.kind, left.subject, left.chosen, left.step) == (
        "consent",
        account.user_id,
        {f"{account.id}#{APP}"},
        "looked",
    )
    before_it = recorded_events(account.id)
    consent.withdraw(account.user_id, account.id, OTHER + "0")
    assert recorded_events(account.id) == before_it
    assert len(stored_jobs()) == 1


def test_grants_of_a_device_are_revoked_without_a_consent(latchkey: TestApp) -> None:
    """Disconnecting an app without a remembered consent revokes its grants, but records no withdrawn consent."""
    account = latchkey.account()
    mine = grant(account)
    consent.withdraw(account.user_id, account.id, APP)
    assert are_active(mine) == [False]
    assert [kind for kind, _ in recorded_events(account.id)] == [kinds.GRANT_REVOKED]
    assert len(stored_jobs()) == 1


def test_withdrawals_of_two_clients_are_independent(latchkey: TestApp) -> None:
    """The jobs of two withdrawals don't overwrite each other."""
    account = latchkey.account()
    for client_id in (APP, OTHER):
        grant(account, client_id)
        consent.withdraw(account.user_id, account.id, client_id)
    assert sorted(each.chosen.pop() for each in stored_jobs()) == [
        f"{account.id}#{client_id}" for client_id in (APP, OTHER)
    ]


def new_withdrawal(account: AccountOfTest) -> Job:
    """Return the job of a withdrawal."""
    grantee = f"{account.id}#{APP}"
    return progress.new_choice(progress.OF_CONSENT, account.user_id, {grantee}, by="x")


@pytest.mark.parametrize(
    ("later_ms", "looked_ms", "ended"), [(0, 0, True), (5, 0, True), (0, 60_000, True), (1, 60_000, False)]
)
def test_grants_from_after_a_withdrawal_are_kept(latchkey: TestApp, later_ms: int, looked_ms: int, ended: bool) -> None:
    """Later runs keep grants that are newer than the withdrawal. The first run revokes all grants, because a function
    with a fast clock may have dated an older grant too late.
    """
    account = latchkey.account()
    ending = new_withdrawal(account)
    latchkey.clock.now_ms += later_ms
    stored_grants = grant(account)
    latchkey.clock.now_ms += looked_ms
    assert consent.finish_withdrawal(ending)
    assert are_active(stored_grants) == [not ended]


def test_withdrawal_is_finished_when_a_slice_is_not_full(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A withdrawal is finished when a batch isn't full and all cached policies are invalidated."""
    monkeypatch.setattr(consent, "BATCH", 2)
    account = latchkey.account()
    stored_grants = [grant(account) for _ in range(3)]
    ending = new_withdrawal(account)
    assert not consent.finish_withdrawal(ending)
    assert are_active(*stored_grants).count(True) == 1
    with fail_calls("UpdateItem", "windows"):
        assert not consent.finish_withdrawal(ending)
    assert are_active(*stored_grants) == [False] * 3
    assert consent.finish_withdrawal(ending)
