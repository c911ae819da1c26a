"""Turning a template and what it shows into a page. Everything is escaped; nothing here decides anything."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from chalicelib.core import clock
from chalicelib.limits import tiers
from chalicelib.pages import assets, labels
from chalicelib.pages.form import Form, Refused


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shows around its own matter."""

    root: str
    """The path under which all pages live: empty, or a stage like `/api`."""
    base_url: str
    csrf: str
    email: str | None
    """Who is logged in."""
    is_admin: bool
    notice: str | None
    here: str
    """The page's own path, to mark it in the navigation."""
    refused: Refused | None = None
    """The form that was sent, where it was refused."""

    @property
    def homeless_problem(self) -> str:
        """Return what is wrong with a form that isn't on the page, as far as it is rendered; "" for nothing."""
        return self.refused.message if self.refused and not self.refused.shown_at else ""

    def form(self, path: str = "") -> Form:
        """Return the form of this page that is sent to `path`, or its only one."""
        return Form(path, self.refused if self.refused and path in ("", self.refused.action) else None)


def page(template: str, frame: Frame, **shown: Any) -> str:
    """Return the HTML of a page."""

    def url(path: str) -> str:
        return f"{frame.root}{path}"

    def asset(name: str) -> str:
        return url(assets.path(name))

    return _environment().get_template(f"{template}.html").render(frame=frame, url=url, asset=asset, **shown)


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
    environment.filters |= {"coded": _coded, "unused": _unused, "pair": _pair}
    environment.globals["words"] = labels
    return environment


def _date(at_ms: int | None) -> str:
    return "never" if at_ms is None else clock.iso(at_ms)[:10]


def _moment(at_ms: int | None) -> str:
    return "never" if at_ms is None else clock.iso(at_ms)[:16].replace("T", " ") + " UTC"


def _ago(hour_ms: int) -> str:
    """Say how long ago an hour began, as exactly as one cares to know."""
    hours = (clock.hour_of(clock.now_s()) - hour_ms // 1000) // clock.HOUR_S
    if hours <= 0:
        return "this hour"
    count, unit = (hours, "hour") if hours < 48 else (hours // 24, "day")
    return f"{count} {unit}{'s' if count > 1 else ''} ago"


def _unused(since_ms: int, used: str = "") -> str:
    """Say of what there is since then that nobody knows of a use, as far as anybody can: counters go after a month."""
    kept_s = tiers.FREE.kept_s
    is_all_known = clock.now_s() - since_ms // 1000 < kept_s
    return f"never{used}" if is_all_known else f"not{used} in {kept_s // clock.DAY_S} days"


def _pair(word: str) -> tuple[str, str]:
    """Return a choice that is called what it is."""
    return word, word


def _coded(text: str) -> Markup:
    """Return a text with what stands in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped a moment ago


def _amount(number: int) -> str:
    return f"{number:,}"
