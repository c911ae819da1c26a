"""Users change their own password or email address, and delete an account or themselves."""

import json
import re
from collections.abc import Callable

import pytest

from chalicelib.accounts import find, invalidation, passwords, self_service, sessions
from chalicelib.accounts.email_address import hash_claim
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.tables import Account, EmailClaim, Member, OneTimeToken, Session, User
from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import record
from chalicelib.limits import tiers
from chalicelib.limits.admission import Rejected
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import AccountOfTest, TestApp, error_of
from tests.support.interleaving import run_before
from tests.support.job_runs import stored_jobs
from tests.support.mailbox import Mailbox

BASE = "https://api.example.com"
OTHER = "harmonica wolverine custard"
WRONG = "not the password at all"


def log_in(account: AccountOfTest) -> LoggedIn:
    """Log in the account's user and return the session."""
    found = sessions.session_of(sessions.open_session(account.user))
    assert found is not None
    return found


def without_accounts() -> AccountOfTest:
    """Create a user who has deleted their only account."""
    account = new_account(name="Bea")
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    return account


def test_every_change_requires_the_password(latchkey: TestApp, box: Mailbox) -> None:
    """Every change requires the password, so an open browser isn't enough to take over or delete the account."""
    account, without_account = new_account(), log_in(without_accounts())
    someone = log_in(account)
    deeds: list[Callable[[], object]] = [
        lambda: self_service.change_password(someone, caller=CALLER, password=WRONG, new_password=OTHER, base_url=BASE),
        lambda: self_service.request_email_change(
            someone, caller=CALLER, password=WRONG, email="new@example.com", base_url=BASE
        ),
        lambda: self_service.delete_account(account.membership, caller=CALLER, password=WRONG),
        lambda: self_service.delete_user(without_account, caller=CALLER, password=WRONG),
    ]
    for deed in deeds:
        with pytest.raises(errors.InvalidRequest, match="Incorrect password"):
            deed()
    assert box.take() == []
    assert User.get(account.user_id).password_hash == account.user.password_hash


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
    """The link for an email change is sent to the new address; the user keeps their address until the link is used."""
    account = new_account()
    self_service.request_email_change(
        log_in(account), caller=CALLER, password=PASSWORD, email=" New@Example.com ", base_url=BASE
    )
    message = box.take_one()
    assert message.to == "New@example.com"
    assert message.link.startswith(f"{BASE}/verify?ticket=lk_ml_")
    assert User.get(account.user_id).email == account.email


def test_known_address_gets_no_link(latchkey: TestApp, box: Mailbox) -> None:
    """An email change to an address that has a user sends no link and raises no error."""
    taken = new_account(name="Eve")
    self_service.request_email_change(
        log_in(new_account()), caller=CALLER, password=PASSWORD, email=taken.email, base_url=BASE
    )
    assert box.take() == []


def test_deleted_account_and_user_have_no_personal_data(latchkey: TestApp) -> None:
    """A deleted account and a deleted user have no personal data and aren't listed, and the address can sign up
    again.
    """
    account = new_account(email="ada@example.com", name="Ada Lovelace")
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    someone = log_in(account)
    assert [found.id for found in find.accounts_after("", 10)] == []
    assert [found.id for found in find.users_after("", 10)] == [account.user_id]
    with pytest.raises(errors.NotFound):
        find.account_by_id(account.id)
    self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    assert list(find.users_after("", 10)) == []
    with pytest.raises(errors.NotFound):
        find.user_by_id(account.user_id)
    with pytest.raises(errors.NotFound):
        find.user_by_email("ada@example.com")
    for table in ("accounts", "users", "members", "emails"):
        stored = json.dumps(dynamodb.call("Scan", {"TableName": settings.current().table(table)})["Items"])
        assert not {"ada", "lovelace"} & set(re.findall(r"\w+", stored.lower()))
        assert "argon2" not in stored
    assert new_account(email="ada@example.com").user_id != account.user_id


def test_keys_of_a_deleted_account_are_rejected_at_the_next_request(latchkey: TestApp) -> None:
    """Keys of a deleted account are rejected at the next request, although API Gateway caches their principals."""
    account = new_account(tier=tiers.PRO)
    key = latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    assert any(key.secret in token for token in latchkey.gateway.cached)
    assert error_of(latchkey.call("GET", "/v1/users/me", key.secret)) == (401, "invalid_api_key")


def test_repeated_deletion_is_a_conflict(latchkey: TestApp) -> None:
    """A repeated deletion, for example by a double click, is a conflict and deletes nothing else."""
    account = new_account()
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    with pytest.raises(errors.Conflict):
        self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    someone = log_in(account)
    self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    with pytest.raises(errors.Conflict):
        self_service.delete_user(someone, caller=CALLER, password=PASSWORD)


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
        self_service.delete_account(account.membership, caller=CALLER, password=WRONG)
    for deed in (
        lambda: self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD),
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
    stored = User.get(account.user_id)
    assert passwords.matches(OTHER, stored.password_hash)
    assert not passwords.matches(PASSWORD, stored.password_hash)
    assert (stored.session_epoch, Session.get(someone.session.digest).epoch) == (1, 1)
    assert record.newest_first(account.user_id, 1)[0].type == "user.password_changed"


@pytest.mark.parametrize("meanwhile", ["password", "logged_out_everywhere", "logged_out"])
def test_password_change_after_a_concurrent_one_is_a_conflict(latchkey: TestApp, box: Mailbox, meanwhile: str) -> None:
    """A password change after a concurrent one, or after the session ended, is a conflict and sends no email."""
    account = new_account()
    someone = log_in(account)
    if meanwhile == "logged_out":
        Session(someone.session.digest).delete()
    else:
        what = User.password_hash.set("other") if meanwhile == "password" else User.session_epoch.add(1)
        User(account.user_id).update(actions=[what])
    before = User.get(account.user_id).serialize()
    with pytest.raises(errors.Conflict, match="The password was changed in the meantime"):
        self_service.change_password(someone, caller=CALLER, password=PASSWORD, new_password=OTHER, base_url=BASE)
    assert User.get(account.user_id).serialize() == before
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
    tokens = {token.email: (token.user_id, token.purpose, token.epoch) for token in OneTimeToken.scan()}
    assert tokens == {
        "New@example.com": (one.user_id, "change_email", 0),
        taken.email: (other.user_id, "change_email", 0),
    }


def test_deletion_invalidates_the_account_and_stores_a_job(latchkey: TestApp) -> None:
    """The deletion of an account removes its name and its keys, and stores a job that deletes all other data later. The
    user no longer belongs to the account, and keeps their session and address.
    """
    account = new_account()
    Account(account.id).update(actions=[Account.live_keys.set({"key_1": 0})])
    secret = sessions.open_session(account.user)
    latchkey.clock.forward(1)
    pending = self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    stump, user = Account.get(account.id), User.get(account.user_id)
    assert [stump.status, stump.name, stump.listed, stump.live_keys.as_dict()] == ["deleted", "deleted", None, {}]
    assert user.account_ids is None
    assert sessions.session_of(secret) is not None
    assert find.user_by_email(account.email).id == user.id
    assert (pending.kind, pending.subject) == ("account", account.id)
    assert [(each.id, each.began_at) for each in stored_jobs()] == [(pending.id, latchkey.clock.now_ms)]
    assert record.newest_first(account.id, 1)[0].type == "account.deleted"
    assert invalidation.is_marked(account.id, latchkey.clock.now_ms)


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_only_an_owner_deletes_an_account(latchkey: TestApp, role: str) -> None:
    """A member below owner can't delete an account, and no password attempt is counted."""
    account = new_account()
    with pytest.raises(errors.InsufficientRole):
        self_service.delete_account(latchkey.member(account, role).membership, caller=CALLER, password=PASSWORD)
    assert Account.get(account.id).status == "active"


def test_former_owner_deletes_no_account(latchkey: TestApp) -> None:
    """An owner who was demoted since the page was read can't delete the account."""
    account = new_account()
    Member(account.id, account.user_id).update(actions=[Member.role.set("admin")])
    with pytest.raises(errors.Conflict, match="The account was changed in the meantime"):
        self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    assert (Account.get(account.id).status, Member.count()) == ("active", 1)


def test_account_added_since_the_log_in_prevents_the_deletion(latchkey: TestApp) -> None:
    """A user who joined an account since their session was read isn't deleted: the list is a condition of the write."""
    account = without_accounts()
    someone = log_in(account)
    User(account.user_id).update(actions=[User.account_ids.add({"acc_other"})])
    with pytest.raises(errors.Conflict, match="You still belong to an account"):
        self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    assert User.get(account.user_id).status == "active"


def test_user_is_deleted_only_without_an_account(latchkey: TestApp) -> None:
    """A user who belongs to an account can't be deleted. Without one, name, address, password and sessions are
    removed.
    """
    account = new_account(email="Ada@example.com")
    secret = sessions.open_session(account.user)
    someone = sessions.session_of(secret)
    assert someone is not None
    with pytest.raises(errors.Conflict, match="You still belong to an account"):
        self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    someone = sessions.session_of(secret)
    assert someone is not None
    self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    stump = User.get(account.user_id)
    assert [stump.status, stump.email, stump.typed_email, stump.name] == ["deleted", "deleted", None, "deleted"]
    assert [stump.password_hash, stump.listed, stump.session_epoch] == [None, None, 1]
    assert sessions.session_of(secret) is None
    assert record.newest_first(account.user_id, 1)[0].type == "user.deleted"
    assert EmailClaim.count() == 0


def test_deletion_after_a_concurrent_email_change_is_a_conflict(latchkey: TestApp) -> None:
    """The deletion of a user fails after a concurrent email change; otherwise the new address would stay taken."""
    account = without_accounts()
    someone = log_in(account)
    User(account.user_id).update(actions=[User.email.set("new@example.com")])
    with pytest.raises(errors.Conflict):
        self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    User(account.user_id).update(actions=[User.email.set(account.email)])
    EmailClaim(account.email, user_id="usr_other").save()
    with pytest.raises(errors.Conflict):
        self_service.delete_user(someone, caller=CALLER, password=PASSWORD)
    assert [each.user_id for each in EmailClaim.scan()] == ["usr_other"]
    assert User.get(account.user_id).status == "active"


def test_deletion_with_a_lost_mark_raises_unavailable(latchkey: TestApp) -> None:
    """A deletion that can't set the invalidation mark raises Unavailable; keys may work for 5 more minutes."""
    account = new_account()
    lost = {"TableName": settings.current().table("windows")}
    with (
        run_before("TransactWriteItems", lambda: dynamodb.call("DeleteTable", lost)),
        pytest.raises(errors.Unavailable, match="up to 5 more minutes"),
    ):
        self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    assert Account.get(account.id).status == "deleted"
