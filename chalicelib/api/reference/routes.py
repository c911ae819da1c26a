"""The routes of an app that declare something, and what each says of itself in its code: words, tag, name."""

import inspect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.api.declared import Declared
from chalicelib.api.request_context import Routes
from chalicelib.api.routing import Rules

NAMES = {"oauth": "OAuth", "openapi": "Reference"}
"""Modules whose name in words is not the module's own."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    takes: tuple[str, ...]
    rules: Rules
    declared: Declared
    name: str
    """The view's."""
    module: str
    says: str
    """The view's docstring, a paragraph a line."""
    of_module: str
    """The first paragraph of its module's docstring."""

    @property
    def tag(self) -> str:
        """Return what it is shown under: its module, in words."""
        return NAMES.get(self.module, self.module.replace("_", " ").capitalize())

    @property
    def about_tag(self) -> str:
        """Return what its module says of itself, without the path that it may start with."""
        path, colon, rest = self.of_module.partition(": ")
        about = rest if colon and " " not in path else self.of_module
        return about[:1].upper() + about[1:] or f"{self.tag}."

    @property
    def summary(self) -> str:
        """Return the first sentence of what it says, without its full stop."""
        return re.split(r"(?<=[^.])\.(?:\s|$)", self.says, maxsplit=1)[0]

    @property
    def parameters(self) -> list[str]:
        """Return the names in the braces of its path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def reads_a_body(self) -> bool:
        """Tell whether it takes a body."""
        return self.method in ("POST", "PUT", "PATCH")


def declared_in(routes: Routes) -> list[Route]:
    """Return every route that is part of the reference, by tag in the order of registration, then by path.

    HEAD is left out: it is there wherever GET is, and says the same without a body.
    """
    found = [
        _route(method, path, entry)
        for path, entries in routes.items()
        for method, entry in entries.items()
        if method != "HEAD" and getattr(entry.view_function, "declared", None) is not None
    ]
    tags = list(dict.fromkeys(route.tag for route in found))
    return sorted(found, key=lambda route: tags.index(route.tag))


def ids_of(routes: list[Route]) -> Iterator[tuple[Route, str]]:
    """Yield each route with an id of its own: its view's name, and what else it takes to tell it from others."""
    names = Counter(route.name for route in routes)
    of_modules = Counter((route.module, route.name) for route in routes)
    for route in routes:
        if names[route.name] == 1:
            yield route, route.name
        elif of_modules[route.module, route.name] == 1:
            yield route, f"{route.module}_{route.name}"
        else:
            place = re.sub(r"\W+", "_", route.path).strip("_")
            yield route, f"{route.method.lower()}_{place}"


def _route(method: str, path: str, entry: object) -> Route:
    view = inspect.unwrap(entry.view_function)  # type: ignore[attr-defined]  # a RouteEntry of Chalice's, which is untyped
    return Route(
        method=method,
        path=path,
        takes=entry.view_function.takes,  # type: ignore[attr-defined]  # as above
        rules=entry.view_function.rules,  # type: ignore[attr-defined]  # as above
        declared=entry.view_function.declared,  # type: ignore[attr-defined]  # as above
        name=view.__name__,
        module=view.__module__.rpartition(".")[2],
        says=_unfolded(view.__doc__ or view.__name__.replace("_", " ").capitalize()),
        of_module=_unfolded(view.__globals__.get("__doc__") or "").partition("\n\n")[0],
    )


def _unfolded(docstring: str) -> str:
    """Return a docstring with each paragraph on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(docstring).split("\n\n"))
