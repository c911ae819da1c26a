"""moto's DynamoDB on a socket of this process, to which clients connect as to AWS."""

import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from functools import lru_cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from zlib import crc32

import pytest
from moto.core.exceptions import ServiceException
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

from chalicelib.core.dynamodb import connection_pool
from chalicelib.core.dynamodb.connection_pool import ConnectionPool
from tests.support import moto_cache
from tests.support.threaded_server import ThreadedServer

URL = "https://dynamodb.us-east-1.amazonaws.com/"
"""The URL of requests that moto expects."""
RESPONSE_TIMEOUT_S = 30
"""A long timeout, because a call that is retried after a timeout counts twice: moto ignores idempotency tokens."""

SERVER_HEADERS = ("content-length", "date", "server")
"""Headers that the HTTP server sets, so moto's are removed."""
JSON = {"Content-Type": "application/x-amz-json-1.0"}
OF_ITEMS = {
    "BatchGetItem": "batch_get_item",
    "BatchWriteItem": "batch_write_item",
    "DeleteItem": "delete_item",
    "GetItem": "get_item",
    "PutItem": "put_item",
    "Query": "query",
    "Scan": "scan",
    "TransactGetItems": "transact_get_items",
    "TransactWriteItems": "transact_write_items",
    "UpdateItem": "update_item",
}
"""moto's methods for the operations on items."""
OF_TABLES = ("Table", "TimeToLive", "ContinuousBackups", "Stream", "Tags")
"""Parts of the names of operations whose timestamps and names need moto's serializer."""

KEY_BYTES_MAX = {"HASH": 2_048, "RANGE": 1_024}
"""DynamoDB's maximum sizes of key attributes, which moto doesn't check in all operations."""

_one_at_a_time = threading.Lock()
"""A lock around all calls, because moto isn't thread-safe: it loses updates, and fails if a table changes while it is
read.
"""


class _Dynamo(DynamoHandler):
    def serialized(self, action_result: ActionResult) -> Any:
        """Serialize a response of items directly, because moto looks up each attribute in its service model."""
        action, result = self._get_action(), action_result.result
        if not isinstance(result, dict) or any(word in action for word in OF_TABLES):
            return super().serialized(action_result)
        return 200, {**self.response_headers, **JSON}, _serialize(action, result)


def _serialize(operation: str, result: dict[str, Any]) -> str:
    members = {name: result[name] for name in _members(operation) & result.keys() if result[name] is not None}
    return json.dumps(members, default=_base64)


@lru_cache
def _members(operation: str) -> frozenset[str]:
    return frozenset(get_service_model("dynamodb").operation_model(operation).output_shape.members)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _dispatch(headers: Message, body: bytes) -> Any:
    """Return moto's response. Successful operations on items skip moto's dispatching, which is slow."""
    operation = headers["X-Amz-Target"].rpartition(".")[2]
    if operation in OF_ITEMS and b'"B"' not in body:
        handler = _Dynamo()
        handler.body = handler.params = json.loads(body)
        handler.current_account, handler.region = DEFAULT_ACCOUNT_ID, "us-east-1"
        with suppress(ServiceException, HTTPException):
            text = _serialize(operation, getattr(handler, OF_ITEMS[operation])().result)
            return 200, {**JSON, "x-amz-crc32": str(crc32(text.encode()))}, text
    request = Request.from_primitives("POST", URL, headers, body)
    return _Dynamo.dispatch(request, URL, request.headers)


def _respond(headers: Message, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return moto's response as status, headers and body."""
    with _one_at_a_time:
        refused = _over_long_key(body) if len(body) > min(KEY_BYTES_MAX.values()) else None
        status, headers_given, text = refused or _dispatch(headers, body)
    response = text.encode() if isinstance(text, str) else text
    sent = {name: str(value) for name, value in headers_given.items() if name.lower() not in SERVER_HEADERS}
    return status, sent | {"Content-Length": str(len(response))}, response


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        status, headers, response = _respond(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Print nothing."""


class _Direct:
    """A connection to moto in the caller's thread, because switching threads takes half of the time of a call.

    The client sends and receives the same bytes as over a socket.
    """

    def __init__(self) -> None:
        """Start without a buffered response."""
        self._waiting, self._timeout_s = io.BytesIO(), 0.0

    def sendall(self, request: bytes) -> None:
        """Process a complete request and buffer its response."""
        head, _, body = request.partition(b"\r\n\r\n")
        headers = Message()
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            headers[name] = value
        status, sent_headers, response = _respond(headers, body)
        lines = (f"{name}: {value}\r\n" for name, value in sent_headers.items())
        self._waiting = io.BytesIO(f"HTTP/1.1 {status} \r\n{''.join(lines)}\r\n".encode("latin-1") + response)

    def recv(self, most: int) -> bytes:
        """Return bytes of the buffered response."""
        return self._waiting.read(most)

    def settimeout(self, timeout_s: float) -> None:
        """Store the timeout, which has no effect."""
        self._timeout_s = timeout_s

    def gettimeout(self) -> float:
        """Return the stored timeout."""
        return self._timeout_s

    def setsockopt(self, *_: int) -> None:
        """Ignore socket options."""

    def close(self) -> None:
        """Do nothing, because there is no socket."""


def _over_long_key(body: bytes) -> tuple[int, dict[str, str], str] | None:
    """Return DynamoDB's ValidationException for an oversized key, or None if the keys are valid."""
    tables = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].tables
    call = json.loads(body)
    for name, key in _keys(call):
        for attribute in _schema(tables[name], call.get("IndexName")) if name in tables else ():
            most, attribute_name = KEY_BYTES_MAX[attribute["KeyType"]], attribute["AttributeName"]
            texts = [key.get(attribute_name, {}).get("S", ""), *_compared_keys(call, attribute_name)]
            if max(len(text.encode()) for text in texts) > most:
                error = {"__type": "com.amazon.coral.validate#ValidationException", "message": f"over {most} bytes"}
                return 400, JSON, json.dumps(error)
    return None


def _schema(table: Any, index: str | None) -> list[dict[str, str]]:
    of_index = [each.schema for each in table.global_indexes if each.name == index]
    schema: list[dict[str, str]] = of_index[0] if of_index else table.schema
    return schema


def _compared_keys(call: dict[str, Any], attribute: str) -> Iterator[str]:
    """Return the strings with which a query's condition compares a key."""
    aliases = call.get("ExpressionAttributeNames", {}).items()
    names = [attribute, *(alias for alias, name in aliases if name == attribute)]
    condition, values = call.get("KeyConditionExpression", ""), call.get("ExpressionAttributeValues", {})
    for name in names:
        # Matches `a = :b`, `a BETWEEN :b AND :c` and `begins_with (a, :b)`.
        for found in re.findall(rf"(?<![\w#]){re.escape(name)}\b[^:#]*(:\w+)(?: AND (:\w+))?", condition):
            yield from (values[each].get("S", "") for each in found if each)


def _keys(call: dict[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Return the keys of every item that a call reads or writes, each with its table."""
    single = [call] if "TableName" in call else []
    written = [deed for item in call.get("TransactItems", ()) for deed in item.values()]
    for deed in single + written:
        yield deed["TableName"], deed.get("Key") or deed.get("Item") or {}
    for table, wanted in call.get("RequestItems", {}).items():
        if isinstance(wanted, list):  # A BatchWriteItem has a list of requests for each table.
            yield from ((table, deed.get("Key") or deed["Item"]) for each in wanted for deed in each.values())
        else:
            yield from ((table, key) for key in wanted["Keys"])


@contextmanager
def serve_moto() -> Iterator[str]:
    """Serve moto's tables during a `with` block, and yield the URL. Our own client is connected without a socket."""
    moto_cache.install()
    connect = ConnectionPool._connect
    with ThreadedServer(("127.0.0.1", 0), _Handler) as front, pytest.MonkeyPatch.context() as patch:
        here = ("127.0.0.1", front.server_port)

        def connected(connections: ConnectionPool, until_ns: int) -> Any:
            return _Direct() if connections._address == here else connect(connections, until_ns)

        patch.setattr(ConnectionPool, "_connect", connected)
        asks = connection_pool._is_readable
        patch.setattr(connection_pool, "_is_readable", lambda given: not isinstance(given, _Direct) and asks(given))
        thread = threading.Thread(target=front.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{front.server_port}"
        finally:
            front.shutdown()
            thread.join()
