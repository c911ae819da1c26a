"""Cross-origin resource sharing: the headers that let pages of the allowed origin call the API."""

from chalice.app import CORSConfig

from chalicelib.api import responses


class CrossOrigin(CORSConfig):
    """The cross-origin headers of one path. Chalice requires all methods of a path to share them.

    The allowed origin is read from the settings for each response, not when the path is registered.
    """

    def __init__(self) -> None:
        """Create the headers of a path that has no methods yet."""
        super().__init__()
        self.has_callers, self.ignores_keys = False, False

    def add_method(self, method: str, *, has_callers: bool, honours_keys: bool) -> None:
        """Add a method of the path. `has_callers` is whether the method requires a credential, `honours_keys` whether
        it honours an Idempotency-Key.
        """
        self.has_callers |= has_callers
        self.ignores_keys |= method == "POST" and not honours_keys

    def get_access_control_headers(self) -> dict[str, str]:
        """Return the headers of a response and of a preflight.

        Pages may send an Idempotency-Key only if every POST of the path honours it. On a public path they may not send
        it, because a stored response belongs to a verified caller.
        """
        honours_keys = self.has_callers and not self.ignores_keys
        return responses.preflight(responses.ALLOWED_TO_REPEAT if honours_keys else responses.ALLOWED)


by_path: dict[str, CrossOrigin] = {}
