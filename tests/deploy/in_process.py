"""Let botocore call WSGI applications in this process without a socket or a delay, and reuse clients."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import waiter
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from werkzeug.test import create_environ, run_wsgi_app

_send, _make_client = URLLib3Session.send, Session.create_client
_clients: dict[tuple[Any, ...], Any] = {}


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield the rest of a response body, as urllib3 does."""
        yield self.read()


@contextmanager
def called(applications: Mapping[str, Any]) -> Iterator[None]:
    """Route requests to WSGI applications by origin during a `with` block."""

    def send(session: URLLib3Session, request: Any) -> AWSResponse:
        url = urlsplit(request.url)
        application = applications.get(f"{url.scheme}://{url.netloc}")
        return _send(session, request) if application is None else _answer(application, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        # Creating the clients of each session again would take half of a deployment's time.
        patch.setattr(Session, "create_client", _create_client)
        # Polling needs no delay, because the emulated services are ready immediately.
        patch.setattr(waiter, "time", SimpleNamespace(sleep=lambda _: None))
        yield


def _create_client(session: Session, service_name: str, region_name: str | None = None, **given: Any) -> Any:
    """Return the client that another session created for the same account and region, or a new one."""
    asked = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    key = (service_name, region_name or session.get_config_variable("region"), given.get("endpoint_url"), asked)
    # These clients aren't shared, because a session may register event handlers.
    clients = vars(session).setdefault("made_here", {}) if service_name in ("lambda", "events") else _clients
    if key not in clients:
        clients[key] = _make_client(session, service_name, region_name, **given)
    return clients[key]


def _answer(application: Any, request: Any) -> AWSResponse:
    url = urlsplit(request.url)
    body = request.body.read() if hasattr(request.body, "read") else request.body or b""
    given = {
        name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    environ = create_environ(
        url.path,
        f"{url.scheme}://{url.netloc}",
        query_string=url.query,
        method=request.method,
        headers=given,
        data=body,
    )
    answer, status, headers = run_wsgi_app(application, environ, buffered=True)
    answered = AWSResponse(request.url, int(status.partition(" ")[0]), headers, _Body(b"".join(answer)))
    if not request.stream_output:
        answered.content  # noqa: B018 - read here, as botocore does
    return answered
