"""Lets botocore call applications of this process without a socket, which is half of what a call to moto takes."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from werkzeug.test import create_environ, run_wsgi_app

_send = URLLib3Session.send


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield what is left of an answer, as urllib3 does."""
        yield self.read()


@contextmanager
def called(applications: Mapping[str, Any]) -> Iterator[None]:
    """Have WSGI applications, by the origin at which they are also served, answer for the length of a `with` block."""

    def send(session: URLLib3Session, request: Any) -> AWSResponse:
        url = urlsplit(request.url)
        application = applications.get(f"{url.scheme}://{url.netloc}")
        return _send(session, request) if application is None else _answer(application, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        yield


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
