"""Users change the password or email address of their own account, or delete it."""

import json
import re
from collections.abc import Callable

import pytest

from chalicelib.accounts import find, passwords, pending_terminations, self_service, sessions
from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken, Session
from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import record
from chalicelib.limits import stale_marks, tiers
from chalicelib.limits.admission import Rejected
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import TestApp, error_of
from tests.support.interleaving import run_before
from tests.support.mailbox import Mailbox

BASE = "https://api.example.com"
OTHER = "harmonica wolverine custard"
WRONG = "not the password at all"


def log_in(account: Account) -> LoggedIn:
    """Log in the account's user and return the session."""
    found = sessions.session_of(sessions.open_session(account))
    assert found is not None
    return found


def test_every_change_requires_the_password(latchkey: TestApp, box: Mailbox) -> None:
    """Every change requires the password, so an open browser isn't enough to take over or delete the account."""
    account = new_account()
    someone = log_in(account)
    deeds: list[Callable[[], object]] = [
        lambda: self_service.change_password(someone, caller=CALLER, password=WRONG, new_password=OTHER, base_url=BASE),
        lambda: self_service.request_email_change(
            someone, caller=CALLER, password=WRONG, email="new@example.com", base_url=BASE
        ),
        lambda: self_service.delete(someone, caller=CALLER, password=WRONG),
    ]
    for deed in deeds:
        with pytest.raises(errors.InvalidRequest, match="Incorrect password"):
            deed()
    assert box.take() == []
    assert Account.get(account.id).password_hash == account.password_hash


def test_password_change_sends_an_email(latchkey: TestApp, box: Mailbox) -> None:
    """A password change sends an email with a link to reset the password."""
    account = new_account()
    self_service.change_password(log_in(account), caller=CALLER, password=PASSWORD, new_password=OTHER, base_url=BASE)
    message = box.take_one()
    assert (message.to, message.subject) == (account.email, "Your password was changed")
    assert message.link == f"{BASE}/forgot"


def test_new_password_must_satisfy_the_rules(latchkey: TestApp, box: Mailbox) -> None:
    """A new password must satisfy the same rules as at sign-up."""
    for bad in ("short", "passwordpassword", "AdaAdaAdaAda"):
        with pytest.raises(errors.InvalidRequest):
            self_service.change_password(
                log_in(new_account()), caller=CALLER, password=PASSWORD, new_password=bad, base_url=BASE
            )
    assert box.take() == []


def test_link_for_an_email_change_is_sent_to_the_new_address(latchkey: TestApp, box: Mailbox) -> None:
    """The link for an email change is sent to the new address; the account keeps its address until the link is used."""
    account = new_account()
    self_service.request_email_change(
        log_in(account), caller=CALLER, password=PASSWORD, email=" New@Example.com ", base_url=BASE
    )
    message = box.take_one()
    assert message.to == "New@example.com"
    assert message.link.startswith(f"{BASE}/verify?ticket=lk_ml_")
    assert Account.get(account.id).email == account.email


def test_known_address_gets_no_link(latchkey: TestApp, box: Mailbox) -> None:
    """An email change to an address that has an account sends no link and raises no error."""
    taken = new_account(name="Eve")
    self_service.request_email_change(
        log_in(new_account()), caller=CALLER, password=PASSWORD, email=taken.email, base_url=BASE
    )
    assert box.take() == []


def test_deleted_account_has_no_personal_data(latchkey: TestApp) -> None:
    """A deleted account has no personal data and isn't listed, and its address can sign up again."""
    account = new_account(email="ada@example.com", name="Ada Lovelace")
    self_service.delete(log_in(account), caller=CALLER, password=PASSWORD)
    assert [found.id for found in find.accounts_after("", 10)] == []
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    with pytest.raises(errors.NotFound):
        find.account_by_email("ada@example.com")
    for table in ("accounts", "emails"):
        stored = json.dumps(dynamodb.call("Scan", {"TableName": settings.current().table(table)})["Items"])
        assert not {"ada", "lovelace"} & set(re.findall(r"\w+", stored.lower()))
        assert "argon2" not in stored
    assert new_account(email="ada@example.com").id != account.id


def test_keys_of_a_deleted_account_are_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """Keys of a deleted account are rejected at the next request, although API Gateway caches their principals."""
    account = new_account(tier=tiers.PRO)
    key = latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    self_service.delete(log_in(account), caller=CALLER, password=PASSWORD)
    assert any(key.secret in token for token in latchkey.gateway.cached)
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")


def test_repeated_deletion_is_a_conflict(latchkey: TestApp) -> None:
    """A repeated deletion, for example by a double click, is a conflict and deletes nothing else."""
    account = new_account()
    someone = log_in(account)
    self_service.delete(someone, caller=CALLER, password=PASSWORD)
    with pytest.raises(errors.Conflict):
        self_service.delete(someone, caller=CALLER, password=PASSWORD)


def test_invalid_new_password_is_about_its_own_field(latchkey: TestApp) -> None:
    """An invalid new password is reported as an error of the field `new_password`, and a wrong current password as an
    error of `password`.
    """
    someone = log_in(new_account())

    def refused(password: str, new_password: str) -> str:
        with pytest.raises(errors.InvalidRequest) as raised:
            self_service.change_password(
                someone, caller=CALLER, password=password, new_password=new_password, base_url=BASE
            )
        return raised.value.field

    with telemetry.record_calls() as calls:
        assert refused(WRONG, "short") == "new_password"
    assert calls.made == []
    assert refused(PASSWORD, "passwordpassword") == "new_password"
    assert refused(WRONG, OTHER) == "password"


@pytest.mark.parametrize("kind", ["email", "network"])
def test_wrong_passwords_count_against_the_log_in_limits(latchkey: TestApp, box: Mailbox, kind: str) -> None:
    """Password attempts inside a session are counted by address and by network, like log-ins."""
    account = new_account()
    someone = log_in(account)
    subject = hash_claim(account.email) if kind == "email" else CALLER.networks[0]
    limit = {"email": 20, "network": 300}[kind]
    latchkey.set_counters(f"log-in-{kind}_{subject}", tiers.hourly(f"log-in-{kind}", limit), used=limit - 1)
    with pytest.raises(errors.InvalidRequest):
        self_service.delete(someone, caller=CALLER, password=WRONG)
    for deed in (
        lambda: self_service.delete(someone, caller=CALLER, password=PASSWORD),
        lambda: self_service.change_password(
            someone, caller=CALLER, password=PASSWORD, new_password=OTHER, base_url=BASE
        ),
        lambda: self_service.request_email_change(
            someone, caller=CALLER, password=PASSWORD, email="b@a.example", base_url=BASE
        ),
    ):
        with pytest.raises(Rejected):
            deed()


def test_changed_password_is_stored_and_recorded(latchkey: TestApp, box: Mailbox) -> None:
    """After a password change the old password doesn't match, and earlier links are invalid."""
    account = new_account()
    someone = log_in(account)
    self_service.change_password(someone, caller=CALLER, password=PASSWORD, new_password=OTHER, base_url=BASE)
    stored = Account.get(account.id)
    assert passwords.matches(OTHER, stored.password_hash)
    assert not passwords.matches(PASSWORD, stored.password_hash)
    assert (stored.session_epoch, Session.get(someone.session.digest).epoch) == (1, 1)
    assert record.newest_first(account.id, 1)[0].type == "account.password_changed"


@pytest.mark.parametrize("meanwhile", ["password", "logged_out_everywhere", "logged_out"])
def test_password_change_after_a_concurrent_one_is_a_conflict(latchkey: TestApp, box: Mailbox, meanwhile: str) -> None:
    """A password change after a concurrent one, or after the session ended, is a conflict and sends no email."""
    account = new_account()
    someone = log_in(account)
    if meanwhile == "logged_out":
        Session(someone.session.digest).delete()
    else:
        what = Account.password_hash.set("other") if meanwhile == "password" else Account.session_epoch.add(1)
        Account(account.id).update(actions=[what])
    before = Account.get(account.id).serialize()
    with pytest.raises(errors.Conflict, match="The password was changed in the meantime"):
        self_service.change_password(someone, caller=CALLER, password=PASSWORD, new_password=OTHER, base_url=BASE)
    assert Account.get(account.id).serialize() == before
    assert (Session.count() == 0) is (meanwhile == "logged_out")
    assert box.take() == []


def test_email_change_without_configured_email_is_a_conflict(latchkey: TestApp) -> None:
    """If no email is configured, an email change is a conflict and isn't counted."""
    someone = log_in(new_account())
    with telemetry.record_calls() as calls, pytest.raises(errors.Conflict, match="send email"):
        self_service.request_email_change(
            someone, caller=CALLER, password=PASSWORD, email="new@example.com", base_url=BASE
        )
    assert calls.made == []


def test_link_for_an_email_change_is_invalid_after_the_sessions_were_ended(latchkey: TestApp, box: Mailbox) -> None:
    """The link for an email change is invalid after a log-out everywhere."""
    one, other, taken = new_account(), new_account(), new_account(name="Eve")
    made = []
    for account, email in ((one, "New@example.com"), (other, taken.email)):
        with telemetry.record_calls() as calls:
            self_service.request_email_change(
                log_in(account), caller=CALLER, password=PASSWORD, email=email, base_url=BASE
            )
        made.append(calls.made)
    assert made[0] == made[1]
    assert len(box.take()) == 1
    tokens = {token.email: (token.account_id, token.purpose, token.epoch) for token in OneTimeToken.scan()}
    assert tokens == {
        "New@example.com": (one.id, "change_email", 0),
        taken.email: (other.id, "change_email", 0),
    }


def test_deletion_invalidates_the_account_and_stores_a_termination(latchkey: TestApp) -> None:
    """A deletion removes name, email address and password, ends sessions and keys, and stores a pending termination
    that deletes all other data later.
    """
    account = new_account(email="Ada@example.com")
    Account(account.id).update(actions=[Account.live_keys.set({"key_1": 0})])
    someone = log_in(account)
    latchkey.clock.forward(1)
    pending = self_service.delete(someone, caller=CALLER, password=PASSWORD)
    stump = Account.get(account.id)
    assert [stump.status, stump.email, stump.typed_email, stump.name] == ["deleted", "deleted", None, "deleted"]
    assert (stump.live_keys.as_dict(), stump.session_epoch) == ({}, 1)
    assert [stump.password_hash, stump.listed] == [None, None]
    assert (pending.kind, pending.subject) == ("account", account.id)
    assert [(each.at, each.began_at) for each in pending_terminations.all_pending()] == [
        (pending.at, latchkey.clock.now_ms)
    ]
    assert record.newest_first(account.id, 1)[0].type == "account.deleted"
    assert stale_marks.is_marked(account.id, latchkey.clock.now_ms)
    assert EmailClaim.count() == 0


def test_deletion_after_a_concurrent_email_change_is_a_conflict(latchkey: TestApp) -> None:
    """A deletion fails after a concurrent email change; otherwise the new address would stay taken."""
    account = new_account()
    someone = log_in(account)
    Account(account.id).update(actions=[Account.email.set("new@example.com")])
    with pytest.raises(errors.Conflict, match="The account was changed in the meantime"):
        self_service.delete(someone, caller=CALLER, password=PASSWORD)
    Account(account.id).update(actions=[Account.email.set(account.email)])
    EmailClaim(account.email, account_id="acc_other").save()
    with pytest.raises(errors.Conflict):
        self_service.delete(someone, caller=CALLER, password=PASSWORD)
    assert ([each.account_id for each in EmailClaim.scan()], Account.get(account.id).status) == (
        ["acc_other"],
        "active",
    )


def test_deletion_with_a_lost_mark_raises_unavailable(latchkey: TestApp) -> None:
    """A deletion that can't set the invalidation mark raises Unavailable; keys may work for 5 more minutes."""
    account = new_account()
    someone = log_in(account)
    lost = {"TableName": settings.current().table("windows")}
    with (
        run_before("TransactWriteItems", lambda: dynamodb.call("DeleteTable", lost)),
        pytest.raises(errors.Unavailable, match="up to 5 more minutes"),
    ):
        self_service.delete(someone, caller=CALLER, password=PASSWORD)
    assert Account.get(account.id).status == "deleted"
