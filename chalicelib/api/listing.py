"""Lists in pages: `?limit=` and an opaque `?cursor=`; body and Link header of an answer name the next page."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from chalice.app import Response

from chalicelib.api import visitor
from chalicelib.api.edge import Exchange
from chalicelib.api.fields import Whole, known_parameters, whole_parameter
from chalicelib.core import errors, ids

SIZE_DEFAULT = 50
SIZE = Whole(1, 100)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: up to `size` things beyond the id `after` ("" for the first page)."""

    size: int
    after: str
    chosen_by: dict[str, str] = field(default_factory=dict)
    """What else is asked of each of them: parameters that the next page's URL repeats."""


def asked_for(exchange: Exchange, prefix: str, *choices: str) -> Page:
    """Return the page that a request asks for, of a list of things whose ids start with `prefix`.

    `choices` are the parameters by which it may choose among them.

    Raises InvalidRequest when `limit` or `cursor` is wrong, or another parameter is given.
    """
    parameters = exchange.parameters
    known_parameters(parameters, "limit", "cursor", *choices)
    size = whole_parameter(parameters, "limit", SIZE, SIZE_DEFAULT)
    after = _opened(parameters["cursor"], prefix) if "cursor" in parameters else ""
    return Page(size, after, {name: parameters[name] for name in choices if name in parameters})


def answer(exchange: Exchange, page: Page, found: list[Any], shown: Callable[[Any], dict[str, Any]]) -> Response:
    """Return one page of `found`, which holds one thing more than the page when there is a next one."""
    here, has_next = found[: page.size], len(found) > page.size
    cursor = _closed(here[-1].id) if has_next else None
    headers: dict[str, str | list[str]] = {"Content-Type": "application/json"}
    if cursor:
        query = urlencode({**page.chosen_by, "limit": page.size, "cursor": cursor})
        headers["Link"] = f'<{visitor.base_url(exchange.request)}{exchange.request.path}?{query}>; rel="next"'
    return Response({"data": [shown(thing) for thing in here], "next_cursor": cursor}, headers=headers)


def _closed(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def _opened(cursor: str, prefix: str) -> str:
    try:
        last_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        last_id = ""
    if not ids.is_id(last_id, prefix):
        raise errors.InvalidRequest("cursor must be the next_cursor of an earlier answer.")
    return last_id
