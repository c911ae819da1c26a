"""Cross-origin resource sharing: the headers that let pages of the allowed origin call the API."""

from collections.abc import Iterable

from chalice.app import CORSConfig

from chalicelib.api import responses


class CrossOrigin(CORSConfig):
    """The cross-origin headers of one path, read from the settings when asked for rather than when it is registered.

    Chalice wants the same for all methods of a path.
    """

    def __init__(self) -> None:
        """Know no method of the path yet."""
        super().__init__()
        self.has_callers, self.ignores_keys = False, False

    def note(self, methods: Iterable[str], *, has_callers: bool, heeds_keys: bool) -> None:
        """Remember how methods of the path take an Idempotency-Key."""
        self.has_callers |= has_callers
        self.ignores_keys |= "POST" in methods and not heeds_keys

    def get_access_control_headers(self) -> dict[str, str]:
        """Return the headers of an answer and of a preflight.

        A page may name a request only where that is heeded, and never to what anybody may call without a credential:
        the answer is kept for whoever asked, and nobody is known there.
        """
        heeds_keys = self.has_callers and not self.ignores_keys
        return responses.preflight(responses.ALLOWED_TO_REPEAT if heeds_keys else responses.ALLOWED)


by_path: dict[str, CrossOrigin] = {}
