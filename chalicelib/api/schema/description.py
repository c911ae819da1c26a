"""The documentation of a view for /openapi.json: its responses, errors and path parameters, and the fields that the
view itself parses.

A description is declared in the module of its view. The first request for the view imports that module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chalicelib.api.schema.body import Body, Fields, Form, Query
from chalicelib.api.schema.shapes import ERROR, Kind, Shape
from chalicelib.core.errors import LatchkeyError

ViewT = TypeVar("ViewT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """A successful response: its body, and headers beyond those of every response."""

    shape: Kind | None = None
    description: str = ""
    headers: tuple[str, ...] = ()
    """Names of the response's headers: `Link`, `Location`, `Cache-Control` or `ETag`."""
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Description:
    """The documentation of a view beyond its docstring and its typed body and query."""

    responses: Mapping[int, ResponseSpec] = field(default_factory=dict)
    errors: tuple[type[LatchkeyError], ...] = ()
    """Errors in addition to those that follow from the route's scopes, body, query and path."""
    path: Fields = field(default_factory=dict)
    """The path parameters. They are documented but not checked: a resource with a malformed id simply isn't found."""
    body: Form | None = None
    """A body that the view parses itself."""
    headers: Mapping[str, Kind] = field(default_factory=dict)
    """Optional request headers that the view reads itself."""
    security: tuple[str, ...] = ()
    """Security schemes with which the caller of a public route may authenticate; "" means that authentication isn't
    required.
    """
    error_shape: Shape = ERROR


NOT_DESCRIBED = Description()


def described(
    responses: Mapping[int, ResponseSpec | Kind],
    *,
    errors: Iterable[type[LatchkeyError]] = (),
    path: Fields | None = None,
    body: Form | None = None,
    headers: Mapping[str, Kind] | None = None,
    security: tuple[str, ...] = (),
    error_shape: Shape = ERROR,
) -> Callable[[ViewT], ViewT]:
    """Attach the documentation to a view. A view with scopes then accepts only declared query parameters."""
    specs = {
        status: each if isinstance(each, ResponseSpec) else ResponseSpec(each) for status, each in responses.items()
    }
    description = Description(specs, tuple(errors), path or {}, body, headers or {}, security, error_shape)

    def attach(view: ViewT) -> ViewT:
        view.description = description  # type: ignore[attr-defined]  # read back by description_of
        return view

    return attach


def description_of(view: Callable[..., Any]) -> Description:
    """Return the documentation that `described` attached to a view."""
    description: Description = getattr(view, "description", NOT_DESCRIBED)
    return description


def body_of(view: Callable[..., Any]) -> type[Body] | None:
    """Return the class of a view's `body` parameter; None if it has none."""
    body: type[Body] | None = view.__annotations__.get("body")
    return body


def query_of(view: Callable[..., Any], scopes: tuple[str, ...]) -> type[Query] | None:
    """Return the class that checks the query parameters of a view; None if they aren't checked."""
    query: type[Query] | None = view.__annotations__.get("query")
    if query is None and scopes and description_of(view).responses:
        return Query
    return query
