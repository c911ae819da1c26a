"""Render templates. Every value is escaped. Templates make no decisions."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from chalicelib.accounts import roles
from chalicelib.core import clock
from chalicelib.limits import tiers
from chalicelib.pages import assets, labels
from chalicelib.pages.form import Form, RejectedForm

NAVIGATION = (
    (("/settings/keys", "API Keys", "key"), roles.DEVELOPER),
    (("/settings/usage", "Usage", "bars"), roles.VIEWER),
    (("/settings/activity", "Activity", "clock"), roles.VIEWER),
    (("/settings/webhooks", "Webhooks", "send"), roles.ADMIN),
    (("/settings/applications", "Applications", "grid"), roles.ADMIN),
    (("/settings/connected", "Connected apps", "plug"), roles.VIEWER),
    (("/settings/members", "Members", "people"), roles.VIEWER),
    (("/settings/account", "Account", "building"), roles.VIEWER),
    (("/settings/profile", "Profile", "user"), ""),
)
"""The settings pages, with the least role in the account that each needs."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The values that the layout of every page needs."""

    root: str
    """The path prefix of all pages: empty, or a stage like `/api`."""
    base_url: str
    csrf: str
    email: str | None
    """The email of the user who is logged in."""
    is_admin: bool
    notice: str | None
    here: str
    """The path of the page, which the navigation marks as current."""
    rejected_form: RejectedForm | None = None
    account_id: str = ""
    """The account to which the forms of the page belong; "" for none."""
    account_name: str = ""
    role: str = ""
    """The user's role in that account."""

    @property
    def problem_without_field(self) -> str:
        """Return the error of a rejected form if no field of the rendered page has shown it; otherwise ""."""
        return self.rejected_form.message if self.rejected_form and not self.rejected_form.shown_at else ""

    @property
    def navigation(self) -> list[tuple[str, str, str]]:
        """Return the path, label and icon of the settings pages that the user's role may open."""
        return [entry for entry, least in NAVIGATION if not least or roles.has_rights_of(self.role, least)]

    def form(self, path: str = "") -> Form:
        """Return the form of this page that is sent to `path`, or the page's only form."""
        is_rejected = self.rejected_form is not None and path in ("", self.rejected_form.action)
        return Form(path, self.rejected_form if is_rejected else None)


def page(template: str, frame: Frame, **values: Any) -> str:
    """Return the HTML of a page."""

    def url(path: str) -> str:
        return f"{frame.root}{path}"

    def asset(name: str) -> str:
        return url(assets.path(name))

    return _environment().get_template(f"{template}.html").render(frame=frame, url=url, asset=asset, **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("chalicelib.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"iso": clock.iso, "date": _date, "moment": _moment, "ago": _ago, "amount": _amount}
    environment.filters |= {"coded": _coded, "unused": _unused, "option": _option}
    environment.globals["labels"] = labels
    return environment


def _date(at_ms: int | None) -> str:
    return "Never" if at_ms is None else clock.iso(at_ms)[:10]


def _moment(at_ms: int | None) -> str:
    return "Never" if at_ms is None else clock.iso(at_ms)[:16].replace("T", " ") + " UTC"


def _ago(hour_ms: int) -> str:
    """Return how long ago an hour began, in hours or days."""
    hours = (clock.hour_of(clock.now_s()) - hour_ms // 1000) // clock.HOUR_S
    if hours <= 0:
        return "this hour"
    count, unit = (hours, "hour") if hours < 48 else (hours // 24, "day")
    return f"{count} {unit}{'s' if count > 1 else ''} ago"


def _unused(since_ms: int, used: str = "") -> str:
    """Return "never" for a key or grant that was never used. If it is older than the counters, which record its use for
    31 days, return "not in 31 days".
    """
    kept_s = tiers.FREE.kept_s
    is_complete = clock.now_s() - since_ms // 1000 < kept_s
    return f"never{used}" if is_complete else f"not{used} in {kept_s // clock.DAY_S} days"


def _option(value: str) -> tuple[str, str]:
    """Return an option whose label is its value, capitalised."""
    return value, value.capitalize()


def _coded(text: str) -> Markup:
    """Return a text as HTML in which the parts in backticks are marked as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - the text is escaped


def _amount(number: int) -> str:
    return f"{number:,}"
