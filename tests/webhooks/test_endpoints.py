"""Managing an account's endpoints: stored fields, changes and recorded events."""

from collections.abc import Callable

import pytest
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import record
from chalicelib.webhooks import endpoints, signing, unverified_endpoints
from chalicelib.webhooks.endpoints import COUNT
from chalicelib.webhooks.states import BY_ACCOUNT, DISABLED, ENABLED, FAILING, GONE
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import AccountOfTest, TestApp
from tests.support.interleaving import fail_calls
from tests.webhooks.told import reload

URL = "https://hooks.example.com:8443/latchkey?tenant=7"


def new_endpoint(account: AccountOfTest, **fields: object) -> Endpoint:
    """Return a new endpoint of an account."""
    chosen: dict[str, object] = {"url": URL, "name": "Ledger", "types": None}
    return endpoints.create(account.id, **(chosen | fields))  # type: ignore[arg-type]  # a test's own


def last_event(account_id: str) -> tuple[str, dict[str, str], str]:
    """Return the type, fields and actor of the last event."""
    event = record.newest_first(account_id, 1)[0]
    return event.type, event.changed.as_dict(), event.actor


def stored_count(account_id: str) -> int:
    """Return the number of endpoints on the count item of an account."""
    key = {"account_id": {"S": account_id}, "id": {"S": COUNT}}
    item = dynamodb.call("GetItem", {"TableName": settings.current().table("endpoints"), "Key": key})["Item"]
    return int(item[COUNT]["N"])


def test_new_endpoint_is_stored_counted_and_recorded(latchkey: TestApp) -> None:
    """The endpoint is stored without its secret, and the event contains only the host of the URL."""
    account = latchkey.account()
    endpoint = reload(new_endpoint(account, types=["key.created", "key.revoked"]))
    assert (endpoint.url, endpoint.name, endpoint.types) == (URL, "Ledger", {"key.created", "key.revoked"})
    assert (endpoint.status, endpoint.version, endpoint.failures, endpoint.slow) == (ENABLED, 1, 0, False)
    assert (endpoint.created_at, endpoint.enabled_at) == (clock.now_ms(), clock.now_ms())
    fields = {"webhook": endpoint.id, "name": "Ledger", "host": "hooks.example.com:8443"}
    assert last_event(account.id) == ("webhook.created", fields, "operator")
    assert stored_count(account.id) == 1
    assert reload(new_endpoint(account, types=[])).types is None
    assert reload(new_endpoint(account)).types is None
    assert stored_count(account.id) == 3


def test_form_creates_one_endpoint(latchkey: TestApp) -> None:
    """A form that is submitted twice creates one endpoint. The error says that the webhook is already in the list."""
    account = latchkey.account()
    new_endpoint(account, form="ticket")
    with pytest.raises(errors.Conflict, match="Its webhook is in the list"):
        new_endpoint(account, form="ticket")
    assert (stored_count(account.id), OneTimeToken.count()) == (1, 1)


def test_account_has_at_most_ten_endpoints(latchkey: TestApp) -> None:
    """A deletion, even if repeated, makes room for one endpoint; endpoints of other accounts don't count."""
    account, other = latchkey.account(), latchkey.account()
    ten = [new_endpoint(account) for _ in range(10)]
    for form in (None, "ticket"):
        with pytest.raises(errors.Conflict, match="at most 10 webhooks"):
            new_endpoint(account, form=form)
    new_endpoint(other)
    for _ in range(2):
        endpoints.delete(ten[0])
    assert (last_event(account.id)[0], stored_count(account.id)) == ("webhook.deleted", 9)
    new_endpoint(account)
    assert stored_count(account.id) == 10
    assert OneTimeToken.count() == 0


def test_deletion_is_recorded_once_with_actor(latchkey: TestApp) -> None:
    """A deletion records one event. Its actor is the argument `actor`, or by default the current actor."""
    account = latchkey.account()
    for actor, shown in (("latchkey", "latchkey"), ("", "operator")):
        endpoint = new_endpoint(account)
        endpoints.delete(endpoint, actor=actor)
        kind, fields, by = last_event(account.id)
        assert (kind, fields["webhook"], by) == ("webhook.deleted", endpoint.id, shown)
        with pytest.raises(errors.NotFound, match="There is no such webhook"):
            endpoints.find_owned(account.id, endpoint.id)


def test_endpoints_are_listed_oldest_first_after_id(latchkey: TestApp) -> None:
    """Endpoints are listed oldest first, at most `limit` of them after the id `after`. Endpoints that were created
    before the verification are omitted.
    """
    account = latchkey.account()
    old = new_endpoint(account)
    ids = []
    for _ in range(3):
        latchkey.clock.forward(1)
        ids.append(new_endpoint(account).id)
    Account(account.id).update(actions=[Account.credentials_since.set(old.created_at + 1_000)])
    assert [each.id for each in endpoints.of_account(account.id)] == ids
    assert [each.id for each in endpoints.of_account(account.id, after=ids[0])] == ids[1:]
    assert len(list(endpoints.of_account(account.id, after=ids[0], limit=1))) == 1
    with pytest.raises(errors.NotFound):
        endpoints.find_owned(account.id, old.id)
    assert endpoints.find_owned(account.id, ids[0]).id == ids[0]
    with pytest.raises(errors.NotFound):
        endpoints.find_owned(account.id, COUNT)
    unverified_endpoints.delete_all(Account.get(account.id))
    assert sorted(each.id for each in Endpoint.query(account.id)) == [COUNT, *ids]
    assert stored_count(account.id) == 3


def test_change_sets_given_fields_and_records_result(latchkey: TestApp) -> None:
    """In a change, None keeps a value, and an empty list of types subscribes to all types."""
    account = latchkey.account()
    endpoint = new_endpoint(account, types=["key.created"])
    latchkey.clock.forward(1)
    endpoints.change(endpoint, url=None, name="Audit", types=None)
    stored = reload(endpoint)
    assert [stored.name, stored.url, stored.types, stored.types_since] == ["Audit", URL, {"key.created"}, None]
    assert last_event(account.id) == (
        *("webhook.changed", {"webhook": endpoint.id, "name": "Audit", "host": "hooks.example.com:8443"}, "operator"),
    )
    for types, kept in ((["key.revoked"], {"key.revoked"}), ([], None)):
        latchkey.clock.forward(1)
        endpoints.change(endpoint, url=None, name=None, types=types)
        stored = reload(endpoint)
        assert (stored.types, stored.types_since, stored.name) == (kept, clock.now_ms(), "Audit")
        assert (endpoint.types, endpoint.name) == (kept, "Audit")
    endpoints.change(endpoint, url="https://other.example/", name=None, types=None)
    assert (reload(endpoint).url, endpoint.url) == ("https://other.example/", "https://other.example/")
    assert last_event(account.id)[1]["host"] == "other.example"


@pytest.mark.parametrize(("url", "is_new"), [(URL, False), ("https://other.example/", True)])
def test_new_url_resets_health(latchkey: TestApp, url: str, is_new: bool) -> None:
    """A new URL resets failures and back-off and marks a backlog; the same URL changes nothing."""
    endpoint = new_endpoint(latchkey.account())
    failed: list[Action] = [Endpoint.failures.set(3), Endpoint.failing_since.set(5), Endpoint.quiet_until.set(7)]
    endpoint.update(actions=failed)
    endpoints.change(endpoint, url=url, name=None, types=None)
    stored = reload(endpoint)
    found = [stored.failures, stored.failing_since, stored.quiet_until, stored.behind_since]
    expected: list[int | None] = [0, None, None, clock.now_ms()] if is_new else [3, 5, 7, None]
    assert found == expected


def test_secret_is_rotated_at_most_once_in_24_hours(latchkey: TestApp) -> None:
    """For 24 hours messages are signed with both secrets; of two concurrent rotations one succeeds."""
    account = latchkey.account()
    endpoint = new_endpoint(account)
    old = signing.secret_of(endpoint)
    outrun = reload(endpoint)
    rotated = endpoints.rotate_secret(endpoint)
    assert (rotated.version, rotated.overlap_ends_at) == (2, clock.now_ms() + 86_400_000)
    stored = reload(endpoint)
    assert (stored.version, stored.overlap_ends_at) == (2, clock.now_ms() + 86_400_000)
    assert signing.secret_of(stored) != old
    assert last_event(account.id)[0] == "webhook.secret_rotated"
    latchkey.clock.forward(86_400 - 0.001)
    with pytest.raises(errors.Conflict, match="rotated within the last 24 hours"):
        endpoints.rotate_secret(reload(endpoint))
    assert len(signing.keys_of(stored)) == 2
    latchkey.clock.forward(0.001)
    assert len(signing.keys_of(stored)) == 1
    with pytest.raises(errors.Conflict):
        endpoints.rotate_secret(outrun)
    assert endpoints.rotate_secret(stored).version == 3


def test_first_reason_for_disabling_is_kept(latchkey: TestApp) -> None:
    """Only the first reason is stored and recorded; the actor is the service, unless the account disabled the
    endpoint.
    """
    account = latchkey.account()
    for because, actor in ((GONE, "latchkey"), (FAILING, "latchkey"), (BY_ACCOUNT, "operator")):
        endpoint = new_endpoint(account)
        endpoints.disable(endpoint, because)
        kind, fields, by = last_event(account.id)
        assert (kind, fields["because"], fields["webhook"], by) == ("webhook.disabled", because, endpoint.id, actor)
        events = len(record.newest_first(account.id, 99))
        endpoints.disable(endpoint, "another")
        stored = reload(endpoint)
        assert (stored.status, stored.disabled_because) == (DISABLED, because)
        assert len(record.newest_first(account.id, 99)) == events


@pytest.mark.parametrize(("because", "status"), [(GONE, ENABLED), (FAILING, ENABLED), (BY_ACCOUNT, DISABLED)])
def test_response_of_old_url_does_not_disable_new_url(latchkey: TestApp, because: str, status: str) -> None:
    """A 410 or failures of an old URL don't disable the endpoint. The account can disable it although the URL has
    changed.
    """
    endpoint = new_endpoint(latchkey.account())
    endpoints.change(reload(endpoint), url="https://other.example/", name=None, types=None)
    endpoints.disable(endpoint, because)
    assert reload(endpoint).status == status


def test_enabling_resets_endpoint(latchkey: TestApp) -> None:
    """Enabling clears failures and backlog and records one event."""
    account = latchkey.account()
    endpoint = new_endpoint(account)
    marks = [Endpoint.failures.set(3), Endpoint.failing_since.set(5), Endpoint.quiet_until.set(7)]
    endpoint.update(actions=[*marks, Endpoint.behind_since.set(9)])
    endpoints.disable(endpoint, GONE)
    latchkey.clock.forward(60)
    endpoints.enable(endpoint)
    stored = reload(endpoint)
    assert [stored.status, stored.disabled_because, stored.enabled_at] == [ENABLED, None, clock.now_ms()]
    assert [stored.failures, stored.failing_since, stored.quiet_until, stored.behind_since] == [0, None, None, None]
    assert last_event(account.id)[0] == "webhook.enabled"
    latchkey.clock.forward(60)
    endpoints.enable(endpoint)
    assert reload(endpoint).enabled_at == stored.enabled_at
    assert len(record.newest_first(account.id, 9, kind="webhook.enabled")) == 1


DEEDS: dict[str, Callable[[Endpoint], object]] = {
    "changed": lambda hook: endpoints.change(hook, url=None, name="B", types=None),
    "rotated": endpoints.rotate_secret,
    "enabled": endpoints.enable,
    "disabled": lambda hook: endpoints.disable(hook, BY_ACCOUNT),
    "deleted": endpoints.delete,
}


@pytest.mark.parametrize("deed", DEEDS)
def test_deleted_endpoint_is_not_recreated_by_change(latchkey: TestApp, deed: str) -> None:
    """No change recreates a deleted endpoint; a change by a user raises NotFound."""
    endpoint = new_endpoint(latchkey.account())
    endpoints.delete(endpoint)
    endpoint.status = DISABLED if deed == "enabled" else ENABLED
    if deed in ("changed", "rotated"):
        with pytest.raises(errors.NotFound if deed == "changed" else errors.Conflict):
            DEEDS[deed](endpoint)
    else:
        DEEDS[deed](endpoint)
    assert Endpoint.found(endpoint.account_id, endpoint.id) is None
    assert stored_count(endpoint.account_id) == 0


@pytest.mark.parametrize("deed", [*DEEDS, "added"])
def test_database_error_is_not_reported_as_conflict(latchkey: TestApp, deed: str) -> None:
    """A database error is raised unchanged, and not as a concurrent change."""
    account = latchkey.account()
    endpoint = new_endpoint(account)
    if deed == "enabled":
        endpoints.disable(endpoint, BY_ACCOUNT)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        DEEDS[deed](endpoint) if deed != "added" else new_endpoint(account, form="ticket")
