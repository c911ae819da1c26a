"""Keep Chalice's current request separate for each thread.

Chalice stores the current request on the app, because a Lambda process handles one request at a time. Local threads
share the app.
"""

import threading
from typing import Any

from chalice.app import Chalice


def isolate_threads(app: Chalice) -> None:
    """Give each thread its own `app.current_request`."""
    if not isinstance(app, _ThreadSafe):
        app.__class__ = type("ThreadSafeChalice", (_ThreadSafe, app.__class__), {})


class _ThreadSafe:
    _of_thread = threading.local()

    @property
    def current_request(self) -> Any:
        return getattr(self._of_thread, "request", None)

    @current_request.setter
    def current_request(self, request: Any) -> None:
        self._of_thread.request = request
