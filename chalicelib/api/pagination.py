"""Cursor pagination with `?limit=` and an opaque `?cursor=`. A response contains the cursor of the next page in its
body, and the URL of the next page in its Link header.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Query, optional
from chalicelib.api.schema.description import ResponseSpec
from chalicelib.api.schema.fields import Integer, Schema
from chalicelib.api.schema.shapes import Kind, ListOf, Nullable, Shape, String
from chalicelib.core import errors, ids

LENGTH = 32
"""Length of every cursor: the 24 characters of an id, in base64."""
SIZE = Integer(1, 100, description="Maximum number of items on the page.", default=50)


@dataclass(frozen=True)
class Cursor:
    """The type of the query parameter `cursor`: the `next_cursor` of a list whose ids start with `prefix`."""

    prefix: str
    default: str = ""

    def check(self, name: str, value: object) -> str:
        """Return the id after which the page starts."""
        last_id = _decode(str(value))
        if not ids.is_id(last_id, self.prefix):
            raise errors.InvalidRequest(f"{name} must be the next_cursor of an earlier response.")
        return last_id

    def read(self, name: str, text: str) -> str:
        """Return the id after which the page starts, for a cursor from a URL."""
        return self.check(name, text)

    def schema(self) -> Schema:
        """Return the schema of a string of fixed length, whose content is opaque."""
        description = "The `next_cursor` from the previous page."
        length = {"minLength": LENGTH, "maxLength": LENGTH}
        return {"type": "string", "format": f"{self.prefix}-cursor", **length, "description": description}


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: up to `size` items after the id `after` ("" for the first page)."""

    size: int
    after: str
    filters: dict[str, str] = field(default_factory=dict)
    """The other query parameters, which the URL of the next page repeats."""


class PageQuery(Query):
    """The query parameters `limit` and `cursor`.

    A subclass passes the prefix of its list's ids as the class argument `ids`, and may declare further parameters.
    """

    limit: int = optional(SIZE)
    cursor: str

    def __init_subclass__(cls, *, ids: str) -> None:
        super().__init_subclass__()
        cls.optional_fields = {"limit": SIZE, "cursor": Cursor(ids), **cls.optional_fields}


def page_of(shape: Shape, about: str) -> ResponseSpec:
    """Return the ResponseSpec of a page whose items have the shape `shape`; `about` describes the list."""
    fields: dict[str, Kind] = {
        "data": ListOf(shape, description="The items of this page."),
        "next_cursor": Nullable(String(), description="The cursor of the next page; null on the last."),
    }
    page = Shape(f"{shape.name}Page", f"One page of a list: {about}.", fields)
    return ResponseSpec(page, f"{about[:1].upper()}{about[1:]}.", ("Link",))


def page(context: RequestContext, query: PageQuery) -> Page:
    """Return the page that the parameters of a request select."""
    filters = {name: text for name, text in context.parameters.items() if name not in ("limit", "cursor")}
    return Page(query.limit, query.cursor, filters)


def respond(
    context: RequestContext, page: Page, found: list[Any], render: Callable[[Any], dict[str, Any]], *, goes_on: str = ""
) -> Response:
    """Return one page of `found`, which contains one more item than the page if there is a next page.

    If `found` doesn't contain that item, the list continues after the id `goes_on`; if `goes_on` is "", the list ends.
    """
    here, has_next = found[: page.size], len(found) > page.size
    last_id = here[-1].id if has_next else goes_on
    cursor = _encode(last_id) if last_id else None
    headers: dict[str, str | list[str]] = {"Content-Type": "application/json"}
    if cursor:
        query = urlencode({**page.filters, "limit": page.size, "cursor": cursor})
        headers["Link"] = f'<{client_address.base_url(context.request)}{context.request.path}?{query}>; rel="next"'
    return Response({"data": [render(item) for item in here], "next_cursor": cursor}, headers=headers)


def _encode(last_id: str) -> str:
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    if len(cursor) != LENGTH:
        return ""
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
