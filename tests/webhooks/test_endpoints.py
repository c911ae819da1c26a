"""An account's endpoints: what is stored of each, what may become of it, and what is told of that."""

from collections.abc import Callable

import pytest
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.update import Action

from chalicelib.accounts.tables import Account, Ticket
from chalicelib.core import clock, errors, settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import record
from chalicelib.webhooks import endpoints, signing
from chalicelib.webhooks.endpoints import COUNT
from chalicelib.webhooks.states import BY_ACCOUNT, DISABLED, ENABLED, FAILING, GONE
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.support.interleaving import fail_calls
from tests.webhooks.told import as_it_stands

URL = "https://hooks.example.com:8443/latchkey?tenant=7"


def made(account: Account, **fields: object) -> Endpoint:
    """Return a new endpoint of an account."""
    chosen: dict[str, object] = {"url": URL, "name": "Ledger", "types": None}
    return endpoints.create(account.id, **(chosen | fields))  # type: ignore[arg-type]  # a test's own


def told(account_id: str) -> tuple[str, dict[str, str], str]:
    """Return the type, the fields and the actor of what was recorded last."""
    event = record.newest_first(account_id, 1)[0]
    return event.type, event.changed.as_dict(), event.actor


def counted(account_id: str) -> int:
    """Return how many endpoints an account has, as its own item counts them."""
    key = {"account_id": {"S": account_id}, "id": {"S": COUNT}}
    item = dynamodb.call("GetItem", {"TableName": settings.current().table("endpoints"), "Key": key})["Item"]
    return int(item[COUNT]["N"])


def test_new_endpoint_is_stored_counted_and_recorded(latchkey: TestApp) -> None:
    """Its secret nowhere; of its URL only where it leads is told."""
    account = latchkey.account()
    endpoint = as_it_stands(made(account, types=["key.created", "key.revoked"]))
    assert (endpoint.url, endpoint.name, endpoint.types) == (URL, "Ledger", {"key.created", "key.revoked"})
    assert (endpoint.status, endpoint.version, endpoint.failures, endpoint.slow) == (ENABLED, 1, 0, False)
    assert (endpoint.created_at, endpoint.enabled_at) == (clock.now_ms(), clock.now_ms())
    fields = {"webhook": endpoint.id, "name": "Ledger", "host": "hooks.example.com:8443"}
    assert told(account.id) == ("webhook.created", fields, "operator")
    assert counted(account.id) == 1
    assert as_it_stands(made(account, types=[])).types is None
    assert as_it_stands(made(account)).types is None
    assert counted(account.id) == 3


def test_form_of_a_new_endpoint_is_used_once(latchkey: TestApp) -> None:
    """The second time makes nothing, and says where the first one's is."""
    account = latchkey.account()
    made(account, form="ticket")
    with pytest.raises(errors.Conflict, match="Its webhook is in the list"):
        made(account, form="ticket")
    assert (counted(account.id), Ticket.count()) == (1, 1)


def test_account_has_ten_endpoints_and_deleting_one_makes_room(latchkey: TestApp) -> None:
    """Once, however often it is deleted; another account's don't count."""
    account, other = latchkey.account(), latchkey.account()
    ten = [made(account) for _ in range(10)]
    for form in (None, "ticket"):
        with pytest.raises(errors.Conflict, match="at most 10 webhooks"):
            made(account, form=form)
    made(other)
    for _ in range(2):
        endpoints.delete(ten[0])
    assert (told(account.id)[0], counted(account.id)) == ("webhook.deleted", 9)
    made(account)
    assert counted(account.id) == 10
    assert Ticket.count() == 0


def test_deletion_is_recorded_once_with_who_did_it(latchkey: TestApp) -> None:
    """Latchkey by itself, or who acts."""
    account = latchkey.account()
    for actor, shown in (("latchkey", "latchkey"), ("", "operator")):
        endpoint = made(account)
        endpoints.delete(endpoint, actor=actor)
        kind, fields, by = told(account.id)
        assert (kind, fields["webhook"], by) == ("webhook.deleted", endpoint.id, shown)
        with pytest.raises(errors.NotFound, match="There is no such webhook"):
            endpoints.owned(account.id, endpoint.id)


def test_endpoints_are_listed_oldest_first_beyond_an_id(latchkey: TestApp) -> None:
    """No more than asked for; neither the item that counts them, nor one from before the verification."""
    account = latchkey.account()
    old = made(account)
    ids = []
    for _ in range(3):
        latchkey.clock.forward(1)
        ids.append(made(account).id)
    Account(account.id).update(actions=[Account.credentials_since.set(old.created_at + 1_000)])
    assert [each.id for each in endpoints.of_account(account.id)] == ids
    assert [each.id for each in endpoints.of_account(account.id, after=ids[0])] == ids[1:]
    assert len(list(endpoints.of_account(account.id, after=ids[0], limit=1))) == 1
    with pytest.raises(errors.NotFound):
        endpoints.owned(account.id, old.id)
    assert endpoints.owned(account.id, ids[0]).id == ids[0]
    with pytest.raises(errors.NotFound):
        endpoints.owned(account.id, COUNT)
    endpoints.delete_unverified(account.id)
    assert sorted(each.id for each in Endpoint.query(account.id)) == [COUNT, *ids]
    assert counted(account.id) == 3


def test_change_sets_what_is_named_and_records_what_then_stands(latchkey: TestApp) -> None:
    """What is None stays; no types at all are all of them, from now on."""
    account = latchkey.account()
    endpoint = made(account, types=["key.created"])
    latchkey.clock.forward(1)
    endpoints.change(endpoint, url=None, name="Audit", types=None)
    stands = as_it_stands(endpoint)
    assert [stands.name, stands.url, stands.types, stands.types_since] == ["Audit", URL, {"key.created"}, None]
    assert told(account.id) == (
        *("webhook.changed", {"webhook": endpoint.id, "name": "Audit", "host": "hooks.example.com:8443"}, "operator"),
    )
    for types, kept in ((["key.revoked"], {"key.revoked"}), ([], None)):
        latchkey.clock.forward(1)
        endpoints.change(endpoint, url=None, name=None, types=types)
        stands = as_it_stands(endpoint)
        assert (stands.types, stands.types_since, stands.name) == (kept, clock.now_ms(), "Audit")
        assert (endpoint.types, endpoint.name) == (kept, "Audit")
    endpoints.change(endpoint, url="https://other.example/", name=None, types=None)
    assert (as_it_stands(endpoint).url, endpoint.url) == ("https://other.example/", "https://other.example/")
    assert told(account.id)[1]["host"] == "other.example"


@pytest.mark.parametrize(("url", "is_new"), [(URL, False), ("https://other.example/", True)])
def test_other_url_is_judged_anew(latchkey: TestApp, url: str, is_new: bool) -> None:
    """What the old one answered is forgotten, and what waits is sent first; the same URL changes nothing of that."""
    endpoint = made(latchkey.account())
    failed: list[Action] = [Endpoint.failures.set(3), Endpoint.failing_since.set(5), Endpoint.quiet_until.set(7)]
    endpoint.update(actions=failed)
    endpoints.change(endpoint, url=url, name=None, types=None)
    stands = as_it_stands(endpoint)
    found = [stands.failures, stands.failing_since, stands.quiet_until, stands.behind_since]
    expected: list[int | None] = [0, None, None, clock.now_ms()] if is_new else [3, 5, 7, None]
    assert found == expected


def test_secret_is_rotated_once_in_24_hours(latchkey: TestApp) -> None:
    """For that long both sign; the second rotation waits until then, and of two at once one wins."""
    account = latchkey.account()
    endpoint = made(account)
    old = signing.secret_of(endpoint)
    outrun = as_it_stands(endpoint)
    rotated = endpoints.rotate_secret(endpoint)
    assert (rotated.version, rotated.overlap_ends_at) == (2, clock.now_ms() + 86_400_000)
    stands = as_it_stands(endpoint)
    assert (stands.version, stands.overlap_ends_at) == (2, clock.now_ms() + 86_400_000)
    assert signing.secret_of(stands) != old
    assert told(account.id)[0] == "webhook.secret_rotated"
    latchkey.clock.forward(86_400 - 0.001)
    with pytest.raises(errors.Conflict, match="rotated within the last 24 hours"):
        endpoints.rotate_secret(as_it_stands(endpoint))
    assert len(signing.keys_of(stands)) == 2
    latchkey.clock.forward(0.001)
    assert len(signing.keys_of(stands)) == 1
    with pytest.raises(errors.Conflict):
        endpoints.rotate_secret(outrun)
    assert endpoints.rotate_secret(stands).version == 3


def test_reason_for_which_it_was_disabled_first_stays(latchkey: TestApp) -> None:
    """And is told once, with who did it: nobody in person, but for its account."""
    account = latchkey.account()
    for because, actor in ((GONE, "latchkey"), (FAILING, "latchkey"), (BY_ACCOUNT, "operator")):
        endpoint = made(account)
        endpoints.disable(endpoint, because)
        kind, fields, by = told(account.id)
        assert (kind, fields["because"], fields["webhook"], by) == ("webhook.disabled", because, endpoint.id, actor)
        events = len(record.newest_first(account.id, 99))
        endpoints.disable(endpoint, "another")
        stands = as_it_stands(endpoint)
        assert (stands.status, stands.disabled_because) == (DISABLED, because)
        assert len(record.newest_first(account.id, 99)) == events


@pytest.mark.parametrize(("because", "status"), [(GONE, ENABLED), (FAILING, ENABLED), (BY_ACCOUNT, DISABLED)])
def test_what_an_old_url_answered_disables_no_new_one(latchkey: TestApp, because: str, status: str) -> None:
    """Its account may, whatever URL it knew."""
    endpoint = made(latchkey.account())
    endpoints.change(as_it_stands(endpoint), url="https://other.example/", name=None, types=None)
    endpoints.disable(endpoint, because)
    assert as_it_stands(endpoint).status == status


def test_enabled_again_it_begins_anew(latchkey: TestApp) -> None:
    """Nothing is held against it, and nothing from before is its; once, with its event."""
    account = latchkey.account()
    endpoint = made(account)
    marks = [Endpoint.failures.set(3), Endpoint.failing_since.set(5), Endpoint.quiet_until.set(7)]
    endpoint.update(actions=[*marks, Endpoint.behind_since.set(9)])
    endpoints.disable(endpoint, GONE)
    latchkey.clock.forward(60)
    endpoints.enable(endpoint)
    stands = as_it_stands(endpoint)
    assert [stands.status, stands.disabled_because, stands.enabled_at] == [ENABLED, None, clock.now_ms()]
    assert [stands.failures, stands.failing_since, stands.quiet_until, stands.behind_since] == [0, None, None, None]
    assert told(account.id)[0] == "webhook.enabled"
    latchkey.clock.forward(60)
    endpoints.enable(endpoint)
    assert as_it_stands(endpoint).enabled_at == stands.enabled_at
    assert len(record.newest_first(account.id, 9, kind="webhook.enabled")) == 1


DEEDS: dict[str, Callable[[Endpoint], object]] = {
    "changed": lambda hook: endpoints.change(hook, url=None, name="B", types=None),
    "rotated": endpoints.rotate_secret,
    "enabled": endpoints.enable,
    "disabled": lambda hook: endpoints.disable(hook, BY_ACCOUNT),
    "deleted": endpoints.delete,
}


@pytest.mark.parametrize("deed", DEEDS)
def test_endpoint_that_was_deleted_does_not_come_back(latchkey: TestApp, deed: str) -> None:
    """Whatever was about to become of it; what would matter to who asked is said."""
    endpoint = made(latchkey.account())
    endpoints.delete(endpoint)
    endpoint.status = DISABLED if deed == "enabled" else ENABLED
    if deed in ("changed", "rotated"):
        with pytest.raises(errors.NotFound if deed == "changed" else errors.Conflict):
            DEEDS[deed](endpoint)
    else:
        DEEDS[deed](endpoint)
    assert Endpoint.found(endpoint.account_id, endpoint.id) is None
    assert counted(endpoint.account_id) == 0


@pytest.mark.parametrize("deed", [*DEEDS, "added"])
def test_database_that_fails_is_no_refusal(latchkey: TestApp, deed: str) -> None:
    """Nobody is told that something was changed meanwhile because a write was broken."""
    endpoint = made(latchkey.account())
    if deed == "enabled":
        endpoints.disable(endpoint, BY_ACCOUNT)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        DEEDS[deed](endpoint) if deed != "added" else made(Account.get(endpoint.account_id), form="ticket")
