"""One request for a page, or one form, as a page's view sees it."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.api.console import cookies
from chalicelib.api.console.outcomes import Render
from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors, randomness, secrets
from chalicelib.events import actors

if TYPE_CHECKING:
    from chalicelib.accounts.sessions import LoggedIn
    from chalicelib.api.schema.fields import Field
    from chalicelib.pages.form import Refused


class LogInFirst(Exception):
    """This page is for people who are logged in."""


@dataclass
class PageRequest:
    """One look at a page, or one form."""

    exchange: RequestContext
    base_url: str
    cookies: dict[str, str]
    form: dict[str, list[str]] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    forms_may_leave: bool = False
    """Whether a form of this page may lead away from here, through any chain of redirects: to an OAuth client."""
    may_ask_the_api: bool = False
    """Whether a script of this page may send requests, to this very API and nowhere else."""
    refused: "Refused | None" = None
    """The form that was sent, where it was refused: its page keeps what was typed and shows what is wrong where."""
    _logged_in: "LoggedIn | None" = None
    _asked: bool = False

    @property
    def root(self) -> str:
        """Return the path under which all pages live, without a slash at the end."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def secure(self) -> bool:
        """Tell whether this is https; plain http is for loopback only."""
        return self.base_url.startswith("https:")

    @property
    def query(self) -> dict[str, str]:
        """Return the query; of a repeated parameter the last counts."""
        return self.exchange.parameters

    @property
    def logged_in(self) -> "LoggedIn | None":
        """Return who is logged in, asking the database once."""
        if not self._asked:
            from chalicelib.accounts import sessions

            secret = self.cookie(cookies.SESSION)
            self._logged_in = sessions.session_of(secret) if secret else None
            self._asked = True
            if self._logged_in is not None:
                actors.is_known_as(self._logged_in.session.id, self._logged_in.account.id)
        return self._logged_in

    @property
    def person(self) -> "LoggedIn":
        """Return who is logged in; raise LogInFirst when nobody is."""
        if self.logged_in is None:
            raise LogInFirst
        return self.logged_in

    def text(self, name: str) -> str:
        """Return a field of the form, "" when it is absent."""
        return self.form.get(name, [""])[-1]

    def given(self, name: str) -> str:
        """Return a field of the form, or else a parameter of the query, "" when both are absent."""
        return self.text(name) or self.query.get(name, "")

    def chosen(self, name: str) -> list[str]:
        """Return every value that the query has for a parameter: which of several boxes were ticked."""
        parameters = self.exchange.request.query_params
        return list(parameters.getlist(name)) if parameters and name in parameters else []

    def check(self, name: str, kind: "Field", value: object = None) -> Any:
        """Return a field of the form as `kind` takes it; raise InvalidRequest in the words of the page, about it."""
        from chalicelib.pages import labels

        with errors.about(name):
            return kind.check(labels.FIELDS[name], self.text(name) if value is None else value)

    def refused_by(self, error: errors.LatchkeyError, shown: "Render") -> "Render":
        """Return the page of a form that was refused: with what was typed, and the error at the field it is about."""
        from chalicelib.pages import form

        path = self.exchange.request.to_original_event()["path"]
        self.refused = form.refused(path, self.form or self.exchange.request.query_params or {}, error)
        return replace(shown, status=error.status, headers=shown.headers | error.headers)

    def cookie(self, name: str) -> str:
        """Return a cookie of ours, "" when it is absent."""
        return self.cookies.get(self._cookie_name(name), "")

    def set_cookie(self, name: str, value: str, *, lives_s: int) -> None:
        """Set a cookie of ours with the answer; `lives_s` 0 deletes it."""
        secure = "; Secure" if self.secure else ""
        lives = f"; Max-Age={lives_s}"
        self.set_cookies.append(f"{self._cookie_name(name)}={value}; Path=/; HttpOnly; SameSite=Lax{lives}{secure}")

    def csrf(self) -> str:
        """Return what a form of this browser must carry: bound to its session, or to its visit before log-in."""
        return secrets.digest(f"csrf {self.cookie(cookies.SESSION) or self._visit_cookie()}")[:32]

    def browser(self) -> str:
        """Return what tells this browser from any other before log-in: the digest of its visit, which may begin now."""
        return secrets.digest(f"browser {self._visit_cookie()}")

    def _visit_cookie(self) -> str:
        if not self.cookie(cookies.VISIT):
            self.cookies[self._cookie_name(cookies.VISIT)] = request = randomness.base62(30)
            self.set_cookie(cookies.VISIT, request, lives_s=86_400)
        return self.cookie(cookies.VISIT)

    def _cookie_name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name
