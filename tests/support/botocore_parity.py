"""Parity with botocore: our DynamoDB client and botocore must serialize each call and parse each response alike.

Each call must also be valid by botocore's model of DynamoDB, of which moto checks only a part.

The first call and response of each shape are compared; others differ only in ids, times and counts. `make test` enables
the comparison for every test on moto by `TESTS_TWIN=1`; `make test-fast` doesn't.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb import codec, endpoint
from chalicelib.core.dynamodb.connection_pool import ConnectionPool
from chalicelib.core.dynamodb.errors import classify_error
from chalicelib.core.dynamodb.http_response import HttpResponse
from tests.support import botocore_model
from tests.support.moto_server import RESPONSE_TIMEOUT_S

VARIABLE = "TESTS_TWIN"
VALUES = frozenset(("S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "ClientRequestToken"))
SENT_ALIKE = ("host", "content-type", "x-amz-target", "x-amz-security-token", "content-length")


@lru_cache(maxsize=1)
def _client() -> Any:
    """Return botocore's client. It is created once, because creating it takes longer than most tests."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1, "mode": "standard"})
    return botocore.session.get_session().create_client("dynamodb", config=config)


class _Body(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


_compared_here: set[object] = set()
"""The shapes that this process, or another process of the same run, has compared."""


class Parity:
    """A sender that makes each call with our client and compares request and response with botocore's."""

    def __init__(self, compared: Path) -> None:
        self.compared = compared
        place = endpoint.find_endpoint()
        self.connections = ConnectionPool(
            place.url, connect_timeout_s=RESPONSE_TIMEOUT_S, read_timeout_s=RESPONSE_TIMEOUT_S
        )
        self.caller = codec.Caller(place, self._send)
        self.client = _client()
        self.lock = threading.Lock()
        self.sent, self.answer = b"", HttpResponse(0, {}, b"")

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make a call with our client, and compare it if its shape is new."""
        with self.lock:
            ours, failed = _outcome(self.caller, operation, request)
            if _is_new((operation, _shape(request), _shape(_compared(ours))), self.compared):
                model = self.client.meta.service_model.operation_model(operation)
                assert (operation, botocore_model.faults(model.input_shape, request)) == (operation, [])
                theirs, failed_there = _outcome(self.client._make_api_call, operation, request)
                assert (_compared(ours), failed) == (_compared(theirs), failed_there), operation
        if failed:
            raise classify_error(ours)
        return ours

    def _send(self, request: bytes) -> HttpResponse:
        self.sent, self.answer = request, self.connections.send(request)
        return self.answer

    def compare(self, request: AWSPreparedRequest, **_rest: Any) -> AWSResponse:
        """Compare botocore's request with ours, and return the response to our request."""
        head, _, body = self.sent.partition(b"\r\n\r\n")
        ours = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        theirs = {name.lower(): _text(value) for name, value in request.headers.items()}
        # botocore adds the Host header only when it sends.
        theirs["host"] = request.url.split("/")[2]
        theirs["content-length"] = ours["content-length"]
        assert json.loads(body) == json.loads(str(_text(request.body)))
        assert [ours.get(name) for name in SENT_ALIKE] == [theirs.get(name) for name in SENT_ALIKE]
        return AWSResponse(request.url, self.answer.status, dict(self.answer.headers), _Body(self.answer.body))


def _outcome(send: dynamodb.Send, operation: str, request: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the response of a call, and whether it is an error."""
    try:
        return send(operation, request), False
    except (codec.Failed, ClientError) as error:
        return error.response, True


def _is_new(shape: object, compared: Path) -> bool:
    """Return whether no process of this run has compared this shape, and record the shape in a file."""
    if shape in _compared_here:
        return False
    _compared_here.add(shape)
    with suppress(FileExistsError):
        (compared / sha256(repr(shape).encode()).hexdigest()).touch(exist_ok=False)
        return True
    return False


def _shape(value: Any) -> object:
    """Return the shape of a request or response: its names and expressions, and only the types of its values."""
    if isinstance(value, dict):
        return tuple((name, name in VALUES or _shape(part)) for name, part in value.items())
    if isinstance(value, list):
        return tuple(sorted({repr(_shape(part)) for part in value}))
    return value if isinstance(value, str) else type(value)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _compared(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response without the fields that botocore adds or parses: metadata, and table descriptions with
    timestamps.
    """
    apart = ("ResponseMetadata", "message", "Message", "Table", "TableDescription")
    return {name: value for name, value in response.items() if name not in apart}


def is_enabled() -> bool:
    """Return whether the comparison is enabled."""
    return VARIABLE in os.environ


@contextmanager
def compare_with_botocore(compared: Path) -> Iterator[None]:
    """Compare the calls of a `with` block; `compared` is a folder that the run's workers share."""
    compared.mkdir(exist_ok=True)
    parity = Parity(compared)
    events = parity.client.meta.events
    events.register("before-send.dynamodb", parity.compare)
    with dynamodb.use_sender(parity):
        yield
    events.unregister("before-send.dynamodb", parity.compare)
    parity.connections.close()
