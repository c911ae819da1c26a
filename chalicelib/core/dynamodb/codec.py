"""One DynamoDB call without botocore: its JSON, signed, over a kept-alive connection; its answer as botocore gives it.

What pynamodb hands to botocore is DynamoDB's own wire format already, but for binary values. So little is left to do
that a call costs a fraction of the time.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock
from chalicelib.core.dynamodb import endpoint, sigv4
from chalicelib.core.dynamodb.connection_pool import NoAnswer
from chalicelib.core.dynamodb.http_response import Answer

Json = dict[str, Any]

VERSION = "DynamoDB_20120810"
JSON = "application/x-amz-json-1.0"


class Failed(Exception):
    """DynamoDB answered with an error; `response` is what botocore would have made of it."""

    def __init__(self, response: Json) -> None:
        """Keep the parsed answer."""
        super().__init__(response["Error"]["Code"])
        self.response = response


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls one endpoint of DynamoDB, from any number of threads."""

    place: endpoint.Place
    send: Callable[[bytes], Answer]

    def __call__(self, operation: str, request: Mapping[str, Any]) -> Json:
        """Send one call and return its answer. Raises Failed for an error, NoAnswer when nothing whole came back."""
        body = encoded(request)
        headers = sigv4.signed(
            {"host": self.place.host, "content-type": JSON, "x-amz-target": f"{VERSION}.{operation}"},
            body,
            credentials=self.place.credentials(),
            region=self.place.region,
            at_ms=clock.now_ms(),
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        return understood(self.send(head.encode("latin-1") + body))


def encoded(request: Mapping[str, Any]) -> bytes:
    """Return a request in DynamoDB's JSON; binary values are base64 there."""
    return _ENCODER.encode(request).encode()


def understood(answer: Answer) -> Json:
    """Return what `answer` says, binary values as bytes.

    Raises Failed for an error, NoAnswer for what can't be read or was damaged on the way (its CRC-32).
    """
    if answer.headers.get("x-amz-crc32") not in (None, str(zlib.crc32(answer.body))):
        raise NoAnswer("the answer was damaged")
    if answer.status != 200:
        raise Failed(_error(answer))
    try:
        return _parsed(answer.body)
    except ValueError as error:
        raise NoAnswer(str(error)) from None


def _error(answer: Answer) -> Json:
    """Return an error in botocore's form. What isn't DynamoDB's JSON, but a proxy's, has its status for a code."""
    try:
        parsed = _parsed(answer.body)
    except ValueError:
        parsed = {}
    named = parsed.pop("__type", "") or answer.headers.get("x-amzn-errortype", "") or answer.status
    # A namespace may stand before the code, and the address of a page about it behind.
    code = str(named).partition(":")[0].rpartition("#")[2]
    messages = [parsed.pop(name, "") for name in ("message", "Message")]
    metadata = {"HTTPStatusCode": answer.status, "RequestId": answer.headers.get("x-amzn-requestid", "")}
    return {**parsed, "Error": {"Code": code, "Message": messages[0] or messages[1]}, "ResponseMetadata": metadata}


def _parsed(body: bytes) -> Json:
    # Only an answer that may hold binary values is walked through.
    hook = _from_base64 if b'"B"' in body or b'"BS"' in body else None
    try:
        parsed = json.loads(body, object_hook=hook)
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None
    except ValueError:
        raise ValueError("the answer is no JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("an answer is an object")
    return parsed


def _in_base64(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form on the wire.")


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_in_base64)


def _from_base64(value: Json) -> Json:
    """An attribute value has one member, named by its type. A map's member of that name holds an object instead."""
    if len(value) == 1:
        if isinstance(value.get("B"), str):
            return {"B": b64decode(value["B"])}
        if isinstance(value.get("BS"), list):
            return {"BS": [b64decode(each) for each in value["BS"]]}
    return value
