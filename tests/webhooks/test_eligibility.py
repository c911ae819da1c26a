"""Endpoints that were created before the email verification receive nothing. If emails are enabled, an endpoint can be
created only after the verification.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.accounts import change, roles, self_service, states
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, errors, settings
from chalicelib.events import actors, kinds, record
from chalicelib.webhooks import deliver, eligibility, endpoint_lock, endpoints, fan_out
from chalicelib.webhooks.tables import Delivery, Endpoint
from tests.oauth.flow import CLIENT, new_user, register_client
from tests.support.console_client import CALLER, PASSWORD
from tests.support.harness import TestApp
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import happens, streamed

MAIL = "latchkey@example.com"


def test_endpoint_from_before_verification_receives_nothing(local: TestApp, receiver: Receiver) -> None:
    """An endpoint that was created before the verification receives neither pending nor later events,
    and isn't listed.
    """
    eve = new_user(local, "Eve", verified=False)
    hook = endpoints.create(eve.account.id, url=receiver.url, name="Spy", types=None)
    fan_out.enqueue(record.since(eve.account.id, "evt_"))
    local.clock.forward(1)
    # The endpoint still exists, as after a crash before its deletion.
    eve.account.account.update(actions=[Account.credentials_since.set(clock.now_ms())])
    assert fan_out.enqueue(record.since(eve.account.id, "evt_")) == []
    deliver.sweep(clock.now_ms() + 60_000)
    assert receiver.received == []
    assert list(endpoints.of_account(eve.account.id)) == []
    assert fan_out.enqueue_missing(clock.now_ms(), clock.now_ms() + 60_000) == 0
    with pytest.raises(errors.NotFound):
        endpoints.find_owned(eve.account.id, hook.id)
    assert all(each.state == "failed" for each in Delivery.query(hook.id))


def test_endpoint_of_suspended_account_receives_nothing(local: TestApp, receiver: Receiver) -> None:
    """Events recorded during a suspension are never sent; events after the reinstatement are sent."""
    account = new_user(local).account
    hook = endpoints.create(account.id, url=receiver.url, name="Ledger", types=["account.renamed"])
    happens(local, account)
    change.set_tier_and_status(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    streamed(account)
    happens(local, account)
    streamed(account)
    deliver.sweep(clock.now_ms() + 60_000)
    assert receiver.received == []
    assert {each.state for each in Delivery.query(hook.id)} == {"failed"}
    change.set_tier_and_status(account.id, tier=None, status=states.ACTIVE, actor="operator")
    told = happens(local, account)
    streamed(account)
    deliver.sweep(clock.now_ms() + 60_000)
    fan_out.enqueue_missing(clock.now_ms(), clock.now_ms() + 60_000)
    assert receiver.ids == [told]


def test_deletion_of_suspended_account_is_delivered(local: TestApp, receiver: Receiver) -> None:
    """The deletion of the account is the last event that its endpoints receive."""
    account = new_user(local).account
    endpoints.create(account.id, url=receiver.url, name="Ledger", types=[kinds.ACCOUNT_DELETED])
    for status in (states.SUSPENDED, states.ACTIVE):
        change.set_tier_and_status(account.id, tier=None, status=status, actor="operator")
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    streamed(account)
    assert len(receiver.received) == 1


def test_verification_deletes_earlier_endpoints_and_clients(latchkey: TestApp) -> None:
    """The deletion of endpoints and clients is recorded for the account, and the client can't authenticate any more."""
    eve = new_user(latchkey, "Eve", verified=False)
    app = register_client(latchkey, owner=eve.account)
    hook = endpoints.create(eve.account.id, url="https://example.com/", name="Spy", types=None)
    latchkey.clock.forward(1)
    eve.verify_email()
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
def test_unverified_user_may_only_disable_and_delete(latchkey: TestApp, deed: str) -> None:
    """While the address of a user is unverified, the user can only disable or delete endpoints of an account, even if
    the account isn't theirs. Other changes raise Conflict with the reason.
    """
    account, user = new_user(latchkey).account, new_user(latchkey, "Eve", verified=False).account.user
    hook = endpoints.create(account.id, url="https://example.com/", name="A", types=None)
    with settings.override(replace(settings.current(), mail_from=MAIL)), actors.act_anonymously("203.0.113.7"):
        actors.identify_actor("ses_eve", account.id, user.id)
        with pytest.raises(errors.Conflict, match="Confirm your email"):
            DEEDS[deed](hook)
        endpoints.disable(hook, "account")
        endpoints.delete(hook)


def test_account_has_one_manual_send_at_a_time(local: TestApp, receiver: Receiver) -> None:
    """During a manual send to one endpoint, a test of another endpoint of the account is rejected."""
    account = new_user(local).account
    first, second = (endpoints.create(account.id, url=receiver.url, name=name, types=None) for name in "AB")
    with endpoint_lock.hold_for_manual_send(first), pytest.raises(errors.Conflict):
        deliver.send_test(second)
    assert deliver.send_test(second).state == "delivered"


def test_manual_sends_are_limited_by_network(local: TestApp, receiver: Receiver) -> None:
    """The limit of a network for manual sends doesn't grow with the number of accounts."""
    statuses = []
    for _ in range(3):
        account = new_user(local).account
        hook = endpoints.create(account.id, url=receiver.url, name="A", types=None)
        secret = local.key(account, "webhooks").secret
        statuses += [local.call("POST", f"/v1/webhooks/{hook.id}/test", secret).status for _ in range(10)]
    assert statuses == [200] * 20 + [429] * 10


@pytest.mark.parametrize(
    ("status", "since_ms", "sent_since_ms"), [("active", 5, 5), ("suspended", 5, None), ("deleted", 5, 5)]
)
def test_sendable_since_depends_on_verification_and_suspension(
    latchkey: TestApp, status: str, since_ms: int, sent_since_ms: int | None
) -> None:
    """`sendable_since` is None while the account is suspended, and 0 if the account doesn't exist."""
    account = latchkey.account()
    account.account.update(actions=[Account.status.set(status), Account.credentials_since.set(5)])
    assert (eligibility.eligible_since_ms(account.id), eligibility.sendable_since_ms(account.id)) == (
        since_ms,
        sent_since_ms,
    )
    for made_at, is_over in ((4, True), (5, False), (6, False)):
        hook = Endpoint(account.id, "whk_x", url="", name="", created_at=made_at, enabled_at=made_at)
        assert eligibility.is_ineligible(hook) is is_over
        assert eligibility.is_blocked(hook) is (is_over or status == "suspended")
    account.account.delete()
    assert (eligibility.eligible_since_ms(account.id), eligibility.sendable_since_ms(account.id)) == (0, 0)


def test_missing_account_cannot_have_endpoints(latchkey: TestApp) -> None:
    """No endpoint can be created for an account that doesn't exist or was deleted since the request was admitted."""
    account = latchkey.account()
    eligibility.check_verified(account.id)
    account.account.update(actions=[Account.listed.remove()])
    for account_id in ("acc_00000000000000000000", account.id):
        with pytest.raises(errors.NotFound, match="no such account"):
            endpoints.create(account_id, url="https://example.com/", name="A", types=None)
    assert Endpoint.count() == 0


def test_service_user_of_the_account_needs_no_address(latchkey: TestApp) -> None:
    """A credential of the account's service user may add endpoints, although this user has no email address."""
    account = latchkey.account()
    with settings.override(replace(settings.current(), mail_from=MAIL)), actors.act_anonymously("203.0.113.7"):
        actors.identify_actor("tok_1", account.id, roles.service_user_of(account.id))
        endpoints.create(account.id, url="https://example.com/", name="A", types=None)
        actors.identify_actor("tok_1", account.id, roles.service_user_of(latchkey.account().id))
        with pytest.raises(errors.NotFound):
            endpoints.create(account.id, url="https://example.com/", name="A", types=None)
