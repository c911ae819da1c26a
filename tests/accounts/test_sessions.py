"""Console sessions: their expiry, how they are ended, and their database calls."""

import json
from collections.abc import Callable

import pytest

from chalicelib.accounts import change, email_links, self_service, sessions, states
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.tables import Session, User
from chalicelib.core import errors, secrets, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.events import kinds, record
from chalicelib.limits import tiers
from tests.support.console_client import CALLER, PASSWORD, new_account
from tests.support.harness import TestApp
from tests.support.interleaving import run_before

HOUR_S = 3_600
OTHER = "harmonica wolverine custard"


def logged_in(secret: str) -> LoggedIn:
    """Return the user and session of a session secret; fail if the secret isn't valid."""
    found = sessions.session_of(secret)
    assert found is not None
    return found


def test_session_expires_after_12_idle_hours(latchkey: TestApp) -> None:
    """A session expires after 12 hours without a request, to the millisecond."""
    account = new_account()
    used, unused = sessions.open_session(account.user), sessions.open_session(account.user)
    latchkey.clock.forward(12 * HOUR_S - 0.001)
    assert logged_in(used).user.id == account.user_id
    latchkey.clock.forward(0.001)
    assert sessions.session_of(unused) is None
    assert logged_in(used).user.id == account.user_id


def test_session_expires_after_14_days(latchkey: TestApp) -> None:
    """A session expires after 14 days, even if it is used all the time."""
    secret = sessions.open_session(new_account().user)
    for _ in range(14 * 24 // 6 - 1):
        latchkey.clock.forward(6 * HOUR_S)
        logged_in(secret)
    latchkey.clock.forward(6 * HOUR_S - 0.001)
    logged_in(secret)
    latchkey.clock.forward(0.001)
    assert sessions.session_of(secret) is None


def test_seen_at_is_written_at_most_every_5_minutes(latchkey: TestApp) -> None:
    """`seen_at` is written at most every 5 minutes; other page requests only read."""
    secret = sessions.open_session(new_account().user)
    written = []
    for _ in range(4):
        with telemetry.record_calls() as calls:
            logged_in(secret)
        written.append(("UpdateItem", "latchkey-test-sessions") in calls.made)
        latchkey.clock.forward(150)
    assert written == [False, False, True, False]


def test_idle_time_counts_from_the_last_write(latchkey: TestApp) -> None:
    """Idle time is counted from the last write of `seen_at`: a session expires up to 5 minutes early, never late."""
    secret = sessions.open_session(new_account().user)
    latchkey.clock.forward(299)
    logged_in(secret)
    latchkey.clock.forward(12 * HOUR_S - 300)
    logged_in(secret)


def test_password_change_ends_every_other_session(latchkey: TestApp) -> None:
    """A password change ends every session except the one in which the password was changed."""
    account = new_account()
    kept, ended = sessions.open_session(account.user), sessions.open_session(account.user)
    self_service.change_password(
        logged_in(kept), caller=CALLER, password=PASSWORD, new_password=OTHER, base_url="https://api.example.com"
    )
    assert logged_in(kept).user.session_epoch == 1
    assert sessions.session_of(ended) is None


def test_suspension_and_change_of_an_account_end_no_session(latchkey: TestApp) -> None:
    """Sessions belong to the user, who may have other accounts: a change of tier or status of an account ends none. The
    pages of a suspended account are refused instead.
    """
    account = new_account()
    secret = sessions.open_session(account.user)
    for tier, status in ((None, states.SUSPENDED), (tiers.PRO, states.ACTIVE)):
        change.set_tier_and_status(account.id, tier=tier, status=status, actor="operator")
        assert logged_in(secret).user.id == account.user_id
    assert User.get(account.user_id).session_epoch == 0


def test_deletion_of_the_user_ends_sessions(latchkey: TestApp) -> None:
    """The deletion of a user ends their sessions; the deletion of an account doesn't."""
    account = new_account()
    leaving, other = sessions.open_session(account.user), sessions.open_session(account.user)
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    self_service.delete_user(logged_in(leaving), caller=CALLER, password=PASSWORD)
    assert sessions.session_of(leaving) is None
    assert sessions.session_of(other) is None


def test_session_opened_with_an_outdated_user_is_invalid(latchkey: TestApp) -> None:
    """A session is invalid if the user's password was changed during the log-in."""
    before = new_account().user
    secret = sessions.open_session(before)
    self_service.change_password(
        logged_in(secret), caller=CALLER, password=PASSWORD, new_password=OTHER, base_url="https://api.example.com"
    )
    assert sessions.session_of(sessions.open_session(before)) is None


def test_log_out_ends_one_session_and_is_idempotent(latchkey: TestApp) -> None:
    """A log-out ends one session and can be repeated; other sessions of the user stay active."""
    account = new_account()
    secret, other = sessions.open_session(account.user), sessions.open_session(account.user)
    for _ in range(2):
        sessions.close_session(secret)
    assert sessions.session_of(secret) is None
    assert logged_in(other).user.id == account.user_id


def test_device_is_not_a_session_and_vice_versa(latchkey: TestApp) -> None:
    """The secret of a remembered device isn't a valid session, and the secret of a session isn't a valid device."""
    account = new_account()
    device, session = sessions.remember_device(account.user), sessions.open_session(account.user)
    assert sessions.session_of(device) is None
    assert not sessions.is_known_device(session, account.user)
    assert sessions.is_known_device(device, account.user)
    assert not sessions.is_known_device(device, new_account(name="Eve").user)
    assert not sessions.is_known_device(device, None)


ENDS: dict[str, Callable[[User], object]] = {
    "reset": lambda user: email_links.set_password(
        email_links.find_link(
            email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch),
            email_links.SET_PASSWORD,
        ),
        user,
        "",
    ),
    "log_out_everywhere": lambda user: sessions.end_all(user.id),
}


@pytest.mark.parametrize("what", ENDS)
@pytest.mark.parametrize("verified", [True, False], ids=["verified", "first_proof"])
def test_device_is_forgotten_when_the_sessions_are_ended(latchkey: TestApp, what: str, verified: bool) -> None:
    """When sessions are ended, remembered devices are forgotten, so an intruder can't use the log-in attempts of a
    remembered device.
    """
    account = new_account(verified=verified)
    device = sessions.remember_device(account.user)
    ENDS[what](account.user)
    assert not sessions.is_known_device(device, User.get(account.user_id))


@pytest.mark.parametrize("secret", ["", "nonsense", "lk_se_" + "0" * 36, "lk_live_" + "0" * 36])
def test_malformed_secret_is_rejected_without_a_database_call(latchkey: TestApp, secret: str) -> None:
    """A session secret with a wrong checksum is rejected without a database call."""
    with telemetry.record_calls() as calls:
        assert sessions.session_of(secret) is None
        sessions.close_session(secret)
    assert calls.made == []


def test_unknown_secret_is_not_a_session(latchkey: TestApp) -> None:
    """A well-formed secret that was never issued is not a session."""
    assert sessions.session_of(secrets.mint(secrets.SESSION_KIND)) is None


def test_secrets_of_sessions_and_devices_are_not_stored(latchkey: TestApp) -> None:
    """The table stores digests with a TTL, so nobody can log in with the data of the table."""
    account = new_account()
    handed_out = [sessions.open_session(account.user), sessions.remember_device(account.user)]
    stored = dynamodb.call("Scan", {"TableName": settings.current().table("sessions")})["Items"]
    for secret in handed_out:
        assert secret not in json.dumps(stored)
        assert secret.rpartition("_")[2] not in json.dumps(stored)
    assert [item.dies_at is not None for item in Session.scan()] == [True, True]


def test_session_stores_its_network_and_browser_and_is_recorded(latchkey: TestApp) -> None:
    """A session is kept for 14 days with its network and browser; a remembered device is kept for a year."""
    account = new_account()
    account.user.session_epoch = 3
    sessions.open_session(account.user, network="203.0.113.0/24", browser="Firefox")
    sessions.open_session(account.user)
    sessions.remember_device(account.user)
    sessions.remember_device(account.user, is_raised=True)
    stored = sorted(Session.scan(), key=lambda each: each.id)
    now_ms = latchkey.clock.now_ms
    assert [(each.purpose, each.network, each.browser, each.holder_id, each.epoch) for each in stored] == [
        ("session", "203.0.113.0/24", "Firefox", account.user_id, 3),
        ("session", None, None, account.user_id, 3),
        ("device", None, None, None, 3),
        ("device", None, None, None, 4),
    ]
    assert {(each.created_at, each.seen_at) for each in stored} == {(now_ms, now_ms)}
    assert [each.dies_at for each in stored] == [now_ms // 1000 + days * 86_400 for days in (14, 14, 365, 365)]
    events = [(each.type, each.actor, each.changed.as_dict()) for each in record.newest_first(account.user_id, 2)]
    assert events == [("session.opened", each.id, {"session": each.id}) for each in stored[1::-1]]


def test_remembered_device_is_known_for_its_user_and_epoch_only(latchkey: TestApp) -> None:
    """A remembered device is valid only for its user, and until the session epoch is raised."""
    account = new_account()
    device = sessions.remember_device(account.user, is_raised=True)
    assert not sessions.is_known_device(device, account.user)
    sessions.end_all(account.user_id)
    assert sessions.is_known_device(device, User.get(account.user_id))
    assert not sessions.is_known_device("", account.user)


def test_active_sessions_are_listed_newest_first_in_pages(latchkey: TestApp) -> None:
    """Active sessions are listed newest first, in pages. Every page but the last states the id after which the next
    page begins.
    """
    account = new_account()
    made = []
    for number in range(5):
        latchkey.clock.forward(1)
        made.append(logged_in(sessions.open_session(account.user)).session)
        if number == 3:
            made[3].update(actions=[Session.epoch.set(7)])
    sessions.remember_device(account.user)
    ids = [each.id for each in made]

    def listed(limit: int, before: str = "") -> tuple[list[str], str]:
        found, beyond = sessions.of_user(account.user, limit, before=before)
        return [each.id for each in found], beyond

    assert listed(9) == ([ids[4], ids[2], ids[1], ids[0]], "")
    assert listed(2) == ([ids[4]], ids[3])
    assert listed(2, ids[3]) == ([ids[2], ids[1]], ids[1])
    assert listed(2, ids[1]) == ([ids[0]], "")
    assert listed(5) == ([ids[4], ids[2], ids[1], ids[0]], ids[0])
    assert listed(2, ids[0]) == ([], "")
    latchkey.clock.forward(12 * HOUR_S)
    assert listed(9) == ([], "")


def test_session_is_found_and_ended_by_its_id(latchkey: TestApp) -> None:
    """A session is found and ended by its id.

    Its end is recorded once, and a session of another user isn't found.
    """
    account, other = new_account(), new_account(name="Eve")
    secret = sessions.open_session(account.user)
    session_id = logged_in(secret).session.id
    own = account.user_id
    for user_id, wrong in ((other.user_id, session_id), (own, "ses_" + "0" * 20), (own, "nonsense")):
        with pytest.raises(errors.NotFound, match="This session has ended"):
            sessions.owned(user_id, wrong)
    session = sessions.owned(own, session_id)
    for _ in range(2):
        sessions.end(session)
    assert sessions.session_of(secret) is None
    events = record.newest_first(account.user_id, 9, kind=kinds.SESSION_ENDED)
    assert [each.changed.as_dict() for each in events] == [{"session": session_id}]


def test_ending_all_sessions_is_recorded(latchkey: TestApp) -> None:
    """Ending all sessions is recorded, and doesn't recreate a deleted user."""
    account = new_account()
    secret = sessions.open_session(account.user)
    sessions.end_all(account.user_id)
    assert sessions.session_of(secret) is None
    assert User.get(account.user_id).session_epoch == 1
    assert record.newest_first(account.user_id, 1)[0].type == "session.all_ended"
    with pytest.raises(errors.NotFound, match="no such user"):
        sessions.end_all("usr_00000000000000000000")
    assert User.count() == 1


def test_concurrent_page_doesnt_recreate_an_ended_session(latchkey: TestApp) -> None:
    """A page request that runs concurrently with the log-out doesn't recreate the session when it writes `seen_at`."""
    secret = sessions.open_session(new_account().user)
    latchkey.clock.forward(300)
    with run_before("UpdateItem", lambda: sessions.close_session(secret)):
        logged_in(secret)
    assert Session.count() == 0


@pytest.mark.parametrize("status", ["suspended", "deleted"])
def test_session_of_an_inactive_or_missing_user_is_invalid(latchkey: TestApp, status: str) -> None:
    """A session of a suspended, deleted or missing user is invalid."""
    account = new_account()
    secret = sessions.open_session(account.user)
    account.user.update(actions=[User.status.set(status)])
    assert sessions.session_of(secret) is None
    account.user.delete()
    assert sessions.session_of(secret) is None
