"""Settings > Profile > Sessions: list the sessions, end one, and log out everywhere."""

from chalicelib.accounts import sessions
from chalicelib.api.console import confirm
from chalicelib.api.console.cookies import SESSION
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import ids

HOME = "/settings/profile/sessions"
PAGE_SIZE = 50


def show_sessions(request: PageRequest) -> Render:
    """List the active sessions of the user, newest first."""
    before = request.query.get("before", "")
    before = before if ids.is_id(before, "ses") else ""
    live, older = sessions.of_user(request.user.user, PAGE_SIZE, before=before)
    own = request.user.session
    return Render("sessions", {"sessions": live, "own_id": own.id, "before": before, "older": older})


def confirm_end(request: PageRequest, session_id: str) -> Render:
    """Ask for confirmation before a session is ended."""
    session = sessions.owned(request.user.user.id, session_id)
    own = session.id == request.user.session.id
    return confirm.ask(
        confirm.Question(
            heading="Log out of this browser?" if own else "End this session?",
            consequence="You have to log in again in this browser." if own else "That browser has to log in again.",
            about=" · ".join(each for each in (session.browser, session.network) if each),
            action=f"{HOME}/{session_id}/end",
            button="Log out" if own else "End session",
            back=HOME,
            back_label="Sessions",
        )
    )


def end(request: PageRequest, session_id: str) -> Redirect:
    """End one session."""
    session = sessions.owned(request.user.user.id, session_id)
    sessions.end(session)
    if session.id != request.user.session.id:
        return Redirect(HOME, "session-ended")
    request.set_cookie(SESSION, "", max_age_s=0)
    return Redirect("/login", "logged-out")


def confirm_log_out_everywhere(request: PageRequest) -> Render:
    """Ask for confirmation before all sessions are ended, including this one."""
    request.user  # noqa: B018 - requires log-in
    return confirm.ask(
        confirm.Question(
            heading="Log out everywhere?",
            consequence="All sessions end, including this one, and unused links to confirm an email address or to set a"
            " password stop working. API keys and connected apps keep working.",
            action="/settings/profile/log-out-everywhere",
            button="Log out everywhere",
            back=HOME,
            back_label="Sessions",
        )
    )


def log_out_everywhere(request: PageRequest) -> Redirect:
    """End every session of the user."""
    sessions.end_all(request.user.user.id)
    request.set_cookie(SESSION, "", max_age_s=0)
    return Redirect("/login", "logged-out-everywhere")
