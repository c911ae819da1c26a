"""A webhook from before the address was verified gets nothing; where mail is sent, none is made before that."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.accounts import change, self_service, sessions, states
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, settings
from chalicelib.events import kinds, record
from chalicelib.webhooks import deliver, eligibility, endpoint_lock, endpoints, fan_out
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.oauth.flow import CLIENT, registered, someone
from tests.support.console_client import PASSWORD, SOMEWHERE
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import happens, streamed

MAIL = "latchkey@example.com"


def test_webhook_from_before_the_verification_gets_nothing_any_more(local: TestApp, receiver: Receiver) -> None:
    """Neither what happens after it nor what waited for it, and it is not listed."""
    eve = someone(local, "Eve", verified=False)
    hook = endpoints.create(eve.account.id, url=receiver.url, name="Spy", types=None)
    fan_out.put(record.since(eve.account.id, "evt_"))
    local.clock.forward(1)
    # As if the function had died before it could delete it.
    eve.account.update(actions=[type(eve.account).credentials_since.set(clock.now_ms())])
    assert fan_out.put(record.since(eve.account.id, "evt_")) == []
    deliver.sweep(clock.now_ms() + 60_000)
    assert receiver.received == []
    assert list(endpoints.of_account(eve.account.id)) == []
    assert fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms() + 60_000) == 0
    with pytest.raises(errors.NotFound):
        endpoints.owned(eve.account.id, hook.id)
    assert all(each.state == "failed" for each in Delivery.query(hook.id))


def test_webhook_of_a_suspended_account_gets_nothing_until_it_is_reinstated(local: TestApp, receiver: Receiver) -> None:
    """Neither at once, nor by the sweep, nor afterwards; what happens from the reinstatement on is sent."""
    account = someone(local).account
    hook = endpoints.create(account.id, url=receiver.url, name="Ledger", types=["account.renamed"])
    happens(local, account)
    change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    streamed(account)
    happens(local, account)
    streamed(account)
    deliver.sweep(clock.now_ms() + 60_000)
    assert receiver.received == []
    assert {each.state for each in Delivery.query(hook.id)} == {"failed"}
    change.set_standing(account.id, tier=None, status=states.ACTIVE, actor="operator")
    told = happens(local, account)
    streamed(account)
    deliver.sweep(clock.now_ms() + 60_000)
    fan_out.put_what_is_missing(clock.now_ms(), clock.now_ms() + 60_000)
    assert receiver.ids == [told]


def test_deletion_is_told_also_by_an_account_that_was_suspended_before(local: TestApp, receiver: Receiver) -> None:
    """The end of an account is the last that its webhooks hear of."""
    account = someone(local).account
    endpoints.create(account.id, url=receiver.url, name="Ledger", types=[kinds.ACCOUNT_DELETED])
    for status in (states.SUSPENDED, states.ACTIVE):
        change.set_standing(account.id, tier=None, status=status, actor="operator")
    user = sessions.session_of(sessions.open_session(Account.get(account.id)))
    assert user is not None
    self_service.delete(user, caller=SOMEWHERE, password=PASSWORD)
    streamed(account)
    assert len(receiver.received) == 1


def test_verification_deletes_the_webhooks_and_applications_from_before(latchkey: TestApp) -> None:
    """Their owner sees in Activity that they were there; the application's own tokens stop."""
    eve = someone(latchkey, "Eve", verified=False)
    app = registered(latchkey, owner=eve.account)
    hook = endpoints.create(eve.account.id, url="https://example.com/", name="Spy", types=None)
    latchkey.clock.forward(1)
    eve.proves_address()
    assert Endpoint.found(eve.account.id, hook.id) is None
    assert app.ask(CLIENT).status == 401
    told = [event.type for event in record.newest_first(eve.account.id, 20)]
    assert {"webhook.deleted", "application.deleted"} <= set(told)


DEEDS: dict[str, Callable[[Endpoint], object]] = {
    "added": lambda hook: endpoints.create(hook.account_id, url="https://example.com/", name="B", types=None),
    "enabled": endpoints.enable,
    "changed": lambda hook: endpoints.change(hook, url="https://example.com/b", name=None, types=None),
    "rotated": endpoints.rotate_secret,
    "tested": deliver.send_test,
    "resent": lambda hook: deliver.resend(hook, "evt_00000000000000000000"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_done_with_a_webhook_before_the_address_is_verified(latchkey: TestApp, deed: str) -> None:
    """Where mail is sent, an account that has yet to verify its address is told so; it may disable and delete."""
    account = someone(latchkey, verified=False).account
    hook = endpoints.create(account.id, url="https://example.com/", name="A", types=None)
    with settings.in_use(replace(settings.current(), mail_from=MAIL)):
        with pytest.raises(errors.Conflict, match="Confirm your email"):
            DEEDS[deed](hook)
        endpoints.disable(hook, "account")
        endpoints.delete(hook)


def test_one_message_by_hand_is_sent_at_a_time_for_an_account(local: TestApp, receiver: Receiver) -> None:
    """Ten webhooks don't hold ten functions: while one is tested, the test of another is refused, and then it isn't."""
    account = someone(local).account
    first, second = (endpoints.create(account.id, url=receiver.url, name=name, types=None) for name in "AB")
    with endpoint_lock.hold_for_manual_send(first), pytest.raises(errors.Conflict):
        deliver.send_test(second)
    assert deliver.send_test(second).state == "delivered"


def test_tests_of_webhooks_are_limited_by_network(local: TestApp, receiver: Receiver) -> None:
    """Whoever has many accounts has their messages sent no more often from one network."""
    statuses = []
    for _ in range(3):
        account = someone(local).account
        hook = endpoints.create(account.id, url=receiver.url, name="A", types=None)
        secret = local.key(account, "webhooks").secret
        statuses += [local.call("POST", f"/v1/webhooks/{hook.id}/test", secret).status for _ in range(10)]
    assert statuses == [200] * 20 + [429] * 10


@pytest.mark.parametrize(
    ("status", "since_ms", "sent_since_ms"), [("active", 5, 5), ("suspended", 5, None), ("deleted", 5, 5)]
)
def test_endpoints_are_an_accounts_own_from_a_moment_on(
    latchkey: TestApp, status: str, since_ms: int, sent_since_ms: int | None
) -> None:
    """Nothing is sent to any while it is suspended; to those of an account that isn't there from the beginning on."""
    account = latchkey.account()
    account.update(actions=[Account.status.set(status), Account.credentials_since.set(5)])
    assert (eligibility.eligible_since_ms(account.id), eligibility.sendable_since_ms(account.id)) == (
        since_ms,
        sent_since_ms,
    )
    for made_at, is_over in ((4, True), (5, False), (6, False)):
        hook = Endpoint(account.id, "whk_x", url="", name="", created_at=made_at, enabled_at=made_at)
        assert eligibility.is_ineligible(hook) is is_over
        assert eligibility.is_blocked(hook) is (is_over or status == "suspended")
    account.delete()
    assert (eligibility.eligible_since_ms(account.id), eligibility.sendable_since_ms(account.id)) == (0, 0)


def test_account_that_is_not_there_has_no_webhooks(latchkey: TestApp) -> None:
    """Nor may it make any."""
    with pytest.raises(errors.NotFound, match="no such user"):
        eligibility.check_verified("acc_00000000000000000000")
    eligibility.check_verified(latchkey.account().id)
