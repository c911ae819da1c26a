"""The request of a page or form, as its view uses it."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.api.console import cookies
from chalicelib.api.console.outcomes import Render
from chalicelib.api.request_context import RequestContext
from chalicelib.core import errors, randomness, secrets
from chalicelib.events import actors

if TYPE_CHECKING:
    from chalicelib.accounts.members import Membership
    from chalicelib.accounts.sessions import LoggedIn
    from chalicelib.accounts.tables import Account
    from chalicelib.api.schema.fields import Field
    from chalicelib.pages.form import RejectedForm


ACCOUNT_FIELD = "account"
"""The name of the form field that contains the id of the form's account."""


class NoAccount(Exception):
    """The page belongs to an account, but the user belongs to none."""


class LogInFirst(Exception):
    """The page requires a user who is logged in."""


@dataclass
class PageRequest:
    """One request for a page, or one submitted form."""

    exchange: RequestContext
    base_url: str
    cookies: dict[str, str]
    form: dict[str, list[str]] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)
    forms_may_leave: bool = False
    """Whether a form of this page may redirect to an OAuth client, directly or through other redirects."""
    may_call_api: bool = False
    """Whether scripts of this page may send requests to this API."""
    rejected_form: "RejectedForm | None" = None
    """The submitted form, if it was rejected. Its page shows the submitted values and the error."""
    _user: "LoggedIn | None" = None
    _is_user_loaded: bool = False

    @property
    def root(self) -> str:
        """Return the path prefix of all pages, without a trailing slash."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def secure(self) -> bool:
        """Return whether the request uses HTTPS; plain HTTP is for loopback only."""
        return self.base_url.startswith("https:")

    @property
    def query(self) -> dict[str, str]:
        """Return the query parameters; the last value of a repeated parameter counts."""
        return self.exchange.parameters

    @property
    def user_or_none(self) -> "LoggedIn | None":
        """Return the user who is logged in, or None. Only the first call reads the database."""
        if not self._is_user_loaded:
            from chalicelib.accounts import sessions

            secret = self.cookie(cookies.SESSION)
            self._user = sessions.session_of(secret) if secret else None
            self._is_user_loaded = True
            if self._user is not None:
                actors.identify_actor(self._user.session.id, user_id=self._user.user.id)
        return self._user

    @property
    def user(self) -> "LoggedIn":
        """Return the user who is logged in; raise LogInFirst if no user is logged in."""
        if self.user_or_none is None:
            raise LogInFirst
        return self.user_or_none

    @cached_property
    def memberships(self) -> "list[Membership]":
        """Return the accounts of the user who is logged in; raise LogInFirst if no user is logged in."""
        from chalicelib.accounts import members

        return members.all_of(self.user.user)

    @cached_property
    def membership(self) -> "Membership":
        """Return the membership of the account to which this page or form belongs.

        A form names its account. A page belongs to the account that this browser opened last, or to the user's first
        one. Raises LogInFirst if no user is logged in, NotFound if the user isn't a member of the form's account,
        NoAccount if the user belongs to no account, and SuspendedAccount if the operator has suspended it.
        """
        from chalicelib.accounts import members

        named = self.text(ACCOUNT_FIELD)
        current = members.find(self.user.user, named) if named else self._last_opened()
        actors.identify_actor(self.user.session.id, current.account.id, self.user.user.id)
        if named and self.cookie(cookies.ACCOUNT) != current.account.id:
            self.open_account(current.account.id)
        members.require_active(current)
        return current

    @property
    def account(self) -> "Account":
        """Return the account to which this page or form belongs. Raises what `membership` raises."""
        return self.membership.account

    def open_account(self, account_id: str) -> None:
        """Let this browser's next pages belong to an account."""
        self.set_cookie(cookies.ACCOUNT, account_id, max_age_s=cookies.DEVICE_S)

    def last_opened_of(self, memberships: "list[Membership]") -> "Membership":
        """Return that of one or more memberships whose account this browser opened last, or else the first one."""
        opened = self.cookie(cookies.ACCOUNT)
        return next((each for each in memberships if each.account.id == opened), memberships[0])

    def _last_opened(self) -> "Membership":
        from chalicelib.accounts import members

        # One call finds the account of the cookie; finding all accounts takes two.
        with suppress(errors.NotFound):
            return members.find(self.user.user, self.cookie(cookies.ACCOUNT))
        if not self.memberships:
            raise NoAccount
        return self.memberships[0]

    def text(self, name: str) -> str:
        """Return a field of the form, "" when it is absent."""
        return self.form.get(name, [""])[-1]

    def text_or_parameter(self, name: str) -> str:
        """Return a field of the form, or else a query parameter, "" when both are absent."""
        return self.text(name) or self.query.get(name, "")

    def parameter_values(self, name: str) -> list[str]:
        """Return every value of a query parameter, such as those of all selected checkboxes with the same name."""
        parameters = self.exchange.request.query_params
        return list(parameters.getlist(name)) if parameters and name in parameters else []

    def check(self, name: str, kind: "Field", value: object = None) -> Any:
        """Return the value of a field that `kind` has checked. Raises InvalidRequest with the label of the field."""
        from chalicelib.pages import labels

        with errors.about(name):
            return kind.check(labels.FIELDS[name], self.text(name) if value is None else value)

    def reject_form(self, error: errors.LatchkeyError, page: "Render") -> "Render":
        """Return `page` as the response to a rejected form, with the submitted values and the error at its field."""
        from chalicelib.pages import form

        path = self.exchange.request.to_original_event()["path"]
        self.rejected_form = form.reject(path, self.form or self.exchange.request.query_params or {}, error)
        return replace(page, status=error.status, headers=page.headers | error.headers)

    def cookie(self, name: str) -> str:
        """Return a cookie of the console, "" when it is absent."""
        return self.cookies.get(self._cookie_name(name), "")

    def set_cookie(self, name: str, value: str, *, max_age_s: int) -> None:
        """Set a cookie of the console in the response; `max_age_s` 0 deletes it."""
        secure = "; Secure" if self.secure else ""
        max_age = f"; Max-Age={max_age_s}"
        self.set_cookies.append(f"{self._cookie_name(name)}={value}; Path=/; HttpOnly; SameSite=Lax{max_age}{secure}")

    def csrf(self, account_id: str) -> str:
        """Return the CSRF token of this browser for forms of an account, or of no account ("").

        It is derived from the session cookie or, before log-in, from the browser cookie.
        """
        return secrets.digest(f"csrf {self.cookie(cookies.SESSION) or self._browser_cookie()} {account_id}")[:32]

    def browser(self) -> str:
        """Return an id of this browser that is available before log-in. It is derived from the browser cookie, which is
        set if it is missing.
        """
        return secrets.digest(f"browser {self._browser_cookie()}")

    def _browser_cookie(self) -> str:
        if not self.cookie(cookies.BROWSER):
            self.cookies[self._cookie_name(cookies.BROWSER)] = value = randomness.base62(30)
            self.set_cookie(cookies.BROWSER, value, max_age_s=86_400)
        return self.cookie(cookies.BROWSER)

    def _cookie_name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name
