"""Cross-origin resource sharing: the headers that let pages of the allowed origin call the API."""

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

    def note(self, method: str, *, has_callers: bool, honours_keys: bool) -> None:
        """Note whether a method of the path has callers and honours an Idempotency-Key."""
        self.has_callers |= has_callers
        self.ignores_keys |= method == "POST" and not honours_keys

    def get_access_control_headers(self) -> dict[str, str]:
        """Return the headers of an answer and of a preflight.

        A page may send an Idempotency-Key only where every POST of the path honours it, and never to a public route:
        the stored response belongs to a caller.
        """
        honours_keys = self.has_callers and not self.ignores_keys
        return responses.preflight(responses.ALLOWED_TO_REPEAT if honours_keys else responses.ALLOWED)


by_path: dict[str, CrossOrigin] = {}
