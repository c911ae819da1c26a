"""Results of a view: a page to render, a redirect within the console, or a redirect to an OAuth client."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Render:
    """Render a template with these values."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect to a path of the console, which shows a notice."""

    path: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class ExternalRedirect:
    """Redirect to the validated redirect URI of a client, with the client's name if it is known."""

    url: str
    client: str = ""
