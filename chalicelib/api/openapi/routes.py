"""The documented routes of an app, each with the documentation of its view."""

import inspect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.api.request_context import Routes
from chalicelib.api.routing import Route, View, route_of
from chalicelib.api.schema.body import Body, Form, Query
from chalicelib.api.schema.description import Description, body_of, description_of, query_of

TAGS = {
    "oauth": "OAuth",
    "oauth_registration": "OAuth client registration",
    "openapi_document": "Reference",
}
"""Tags by module, where the tag differs from the module's name."""


@dataclass(frozen=True, slots=True)
class DocumentedRoute:
    """A route and the documentation of its view."""

    route: Route
    description: Description
    body: type[Body] | Form | None
    query: type[Query] | None
    name: str
    """The name of the view."""
    module: str
    docstring: str
    """The docstring of the view, with each paragraph on one line."""
    module_docstring: str
    """The first paragraph of the docstring of the view's module."""

    @property
    def tag(self) -> str:
        """Return the tag: the name of the view's module as words."""
        return TAGS.get(self.module, self.module.replace("_", " ").capitalize())

    @property
    def tag_description(self) -> str:
        """Return the description of the tag: the first paragraph of the module's docstring, without a path at its
        start.
        """
        path, colon, rest = self.module_docstring.partition(": ")
        text = rest if colon and " " not in path else self.module_docstring
        return text[:1].upper() + text[1:] or f"{self.tag}."

    @property
    def summary(self) -> str:
        """Return the summary: the first sentence of the view's docstring, without its full stop."""
        return re.split(r"(?<=[^.])\.(?:\s|$)", self.docstring, maxsplit=1)[0]

    @property
    def parameters(self) -> list[str]:
        """Return the names of the path parameters."""
        return re.findall(r"{(\w+)}", self.route.path)


def documented(routes: Routes) -> list[DocumentedRoute]:
    """Return every documented route, grouped by tag in the order of registration.

    HEAD is omitted, because it exists for every GET and returns the same headers.
    """
    found = [
        _document(route)
        for entries in routes.values()
        for method, entry in entries.items()
        if method != "HEAD" and (route := route_of(entry)).method and route.is_documented
    ]
    tags = list(dict.fromkeys(each.tag for each in found))
    return sorted(found, key=lambda each: tags.index(each.tag))


def operation_ids(routes: list[DocumentedRoute]) -> Iterator[tuple[DocumentedRoute, str]]:
    """Yield each route with a unique operation id: the name of its view, or a longer name if two views have the same
    name.
    """
    names = Counter(each.name for each in routes)
    in_modules = Counter((each.module, each.name) for each in routes)
    for each in routes:
        if names[each.name] == 1:
            yield each, each.name
        elif in_modules[each.module, each.name] == 1:
            yield each, f"{each.module}_{each.name}"
        else:
            place = re.sub(r"\W+", "_", each.route.path).strip("_")
            yield each, f"{each.route.method.lower()}_{place}"


def _document(route: Route) -> DocumentedRoute:
    view: View = inspect.unwrap(route.resolve())
    description = description_of(view)
    return DocumentedRoute(
        route=route,
        description=description,
        body=body_of(view) or description.body,
        query=query_of(view, route.scopes),
        name=view.__name__,
        module=view.__module__.rpartition(".")[2],
        docstring=_unfold(view.__doc__ or view.__name__.replace("_", " ").capitalize()),
        module_docstring=_unfold(view.__globals__.get("__doc__") or "").partition("\n\n")[0],
    )


def _unfold(docstring: str) -> str:
    """Return a docstring with each paragraph on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(docstring).split("\n\n"))
