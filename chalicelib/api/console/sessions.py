"""Settings > Account > Sessions: where the account is logged in, ending one, and logging out everywhere."""

from chalicelib.accounts import sessions
from chalicelib.api.console import confirm
from chalicelib.api.console.cookies import SESSION
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.core import ids

HOME = "/settings/account/sessions"
SHOWN = 50


def show_sessions(request: PageRequest) -> Render:
    """List the account's live sessions, the newest first."""
    before = request.query.get("before", "")
    before = before if ids.is_id(before, "ses") else ""
    live, older = sessions.of_account(request.person.account, SHOWN, before=before)
    own = request.person.session
    return Render("sessions", {"sessions": live, "own_id": own.id, "before": before, "older": older})


def confirm_end(request: PageRequest, session_id: str) -> Render:
    """Ask before a session is ended."""
    session = sessions.owned(request.person.account.id, session_id)
    own = session.id == request.person.session.id
    return confirm.ask(
        confirm.Question(
            heading="Log out of this browser?" if own else "End this session?",
            consequence="You have to log in again here." if own else "Whoever uses it has to log in again.",
            about=" · ".join(each for each in (session.browser, session.network) if each),
            action=f"{HOME}/{session_id}/end",
            button="Log out" if own else "End session",
            back=HOME,
            back_label="Sessions",
        )
    )


def end(request: PageRequest, session_id: str) -> Redirect:
    """End one session."""
    session = sessions.owned(request.person.account.id, session_id)
    sessions.end(session)
    if session.id != request.person.session.id:
        return Redirect(HOME, "session-ended")
    request.set_cookie(SESSION, "", lives_s=0)
    return Redirect("/login", "logged-out")


def confirm_log_out_everywhere(request: PageRequest) -> Render:
    """Ask before every session is ended, this one included."""
    request.person  # noqa: B018 - asks for log-in
    return confirm.ask(
        confirm.Question(
            heading="Log out everywhere?",
            consequence="Every session ends, this one included, and links to confirm or to set a password that are on"
            " their way stop working. API keys and connected apps go on working.",
            action="/settings/account/log-out-everywhere",
            button="Log out everywhere",
            back=HOME,
            back_label="Sessions",
        )
    )


def log_out_everywhere(request: PageRequest) -> Redirect:
    """End every session of the account."""
    sessions.end_all(request.person.account.id)
    request.set_cookie(SESSION, "", lives_s=0)
    return Redirect("/login", "logged-out-everywhere")
