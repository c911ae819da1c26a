"""What a page's view returns: a page to render, a path of the console, or a client's redirect URI."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Render:
    """A page to show."""

    template: str
    matter: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Elsewhere: a path of this console, and what to say there."""

    path: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class ExternalRedirect:
    """Out of the house: to a client's redirect URI, which was checked, and the client's name where it is known."""

    url: str
    client: str = ""
