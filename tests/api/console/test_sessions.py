"""Settings > Profile > Sessions: list sessions, end one, log out everywhere."""

import pytest

from chalicelib.accounts import session_lifetime, sessions, user_agent
from chalicelib.core import errors
from chalicelib.events import kinds, record
from tests.support.console_client import PASSWORD, ConsoleClient, log_in_as, new_account
from tests.support.harness import TestApp

PLACE = "/settings/profile/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


def test_sessions_are_listed_with_browser_network_and_times(latchkey: TestApp) -> None:
    """Sessions are listed newest first, with browser, times and network; the current session is marked."""
    account = new_account(email="ada@example.com")
    log_in_as(latchkey, account)
    latchkey.clock.forward(60)
    console = ConsoleClient(latchkey)
    form = console.fill(console.open("/login"), "/login", {"email": account.email, "password": PASSWORD})
    console.agent = FIREFOX
    assert console.send("/login", form).status == 303
    own, other = console.open(PLACE).rows[1:]
    assert own[0] == "Firefox on Linux You (this browser)"
    assert own[1] == console.ip.rpartition(".")[0] + ".0/24"
    assert own[2:4] == ["2021-12-20 10:01 UTC"] * 2
    assert other[:2] == ["Unknown browser", "–"]
    assert console.ip not in console.open(PLACE).text


def test_only_active_sessions_of_the_user_are_listed(latchkey: TestApp) -> None:
    """Expired sessions, known devices and sessions of other users are not listed."""
    account = new_account()
    log_in_as(latchkey, account)
    latchkey.clock.forward(session_lifetime.IDLE_MS // 1000)
    console = log_in_as(latchkey, account)
    sessions.remember_device(account.user)
    log_in_as(latchkey, new_account(name="Eve"))
    assert len(console.open(PLACE).rows) == 1 + 1


def test_list_has_pages(latchkey: TestApp) -> None:
    """The list shows fifty sessions a page."""
    account = new_account()
    for _ in range(55):
        latchkey.clock.forward(1)
        console = log_in_as(latchkey, account)
    first = console.open(PLACE)
    (older,) = [url for url in first.urls if "before=" in url]
    assert (len(first.rows), len(console.open(older).rows)) == (1 + 50, 1 + 5)


def test_one_session_is_ended(latchkey: TestApp) -> None:
    """A session that is ended is rejected at its next request. The others stay active, and Activity shows the event."""
    account = new_account()
    console, other = log_in_as(latchkey, account), log_in_as(latchkey, account)
    ended = f"{PLACE}/{other.session_id}/end"
    page = console.submit(ended)
    assert page.location == f"{PLACE}?done=session-ended"
    assert other.open(PLACE).location.startswith("/login")
    assert console.open(PLACE).status == 200
    assert record.newest_first(account.user_id, 1)[0].type == kinds.SESSION_ENDED
    assert console.open(ended).status == 404


def test_own_session_can_be_ended(latchkey: TestApp) -> None:
    """Ending the current session logs the user out."""
    console = log_in_as(latchkey, new_account())
    assert console.submit(f"{PLACE}/{console.session_id}/end").location == "/login?done=logged-out"
    assert console.open(PLACE).location.startswith("/login")


def test_session_of_another_user_cannot_be_ended(latchkey: TestApp) -> None:
    """A session of another user is not found, like an unknown session."""
    console, other = log_in_as(latchkey, new_account()), log_in_as(latchkey, new_account(name="Eve"))
    tokens = console.token_fields()
    assert console.send(f"{PLACE}/{other.session_id}/end", tokens).status == 404
    assert other.open(PLACE).status == 200
    with pytest.raises(errors.NotFound):
        sessions.owned(new_account(name="Bob").user_id, "rubbish")


def test_log_out_everywhere_ends_every_session(latchkey: TestApp) -> None:
    """Logging out everywhere ends every session, including the current one; the keys keep working."""
    account = new_account()
    console, other = log_in_as(latchkey, account), log_in_as(latchkey, account)
    key = latchkey.key(account)
    page = console.submit("/settings/profile/log-out-everywhere")
    assert page.location == "/login?done=logged-out-everywhere"
    for each in (console, other):
        assert each.open(PLACE).location.startswith("/login")
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    assert record.newest_first(account.user_id, 1)[0].type == kinds.SESSIONS_ENDED
    assert ConsoleClient(latchkey).log_in(account.email).status == 303


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Edg/131.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1", "Safari on iPhone"),
        ("curl/8.5.0", ""),
        ("", ""),
        ("x" * 100_000 + "Firefox/1", ""),
    ],
)
def test_user_agent_is_shown_as_browser_and_system(header: str, expected: str) -> None:
    """A User-Agent is shown as browser and operating system, and an unknown User-Agent as an empty text."""
    assert user_agent.browser_and_system(header) == expected
