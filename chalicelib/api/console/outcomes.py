"""Results of a view: a page to render, a redirect within the console, or a redirect to an OAuth client."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Render:
    """A page: a template and its values."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect to a page of the console. The page shows the notice, if there is one."""

    path: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class ExternalRedirect:
    """A redirect to the validated redirect URI of a client, with the client's name if it is known."""

    url: str
    client: str = ""
