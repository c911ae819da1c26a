"""Call DynamoDB without botocore: encode and sign a request, send it, and decode the response to botocore's format.

A call takes a fraction of botocore's time, because pynamodb already produces DynamoDB's JSON, except for binary values.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock
from chalicelib.core.dynamodb import endpoint, sigv4
from chalicelib.core.dynamodb.connection_pool import NoResponse
from chalicelib.core.dynamodb.http_response import HttpResponse

Json = dict[str, Any]

VERSION = "DynamoDB_20120810"
JSON = "application/x-amz-json-1.0"


class Failed(Exception):
    """DynamoDB returned an error. `response` is this error in botocore's format."""

    def __init__(self, response: Json) -> None:
        """Store the parsed response."""
        super().__init__(response["Error"]["Code"])
        self.response = response


@dataclass(frozen=True, slots=True)
class Caller:
    """An object that sends calls to one DynamoDB endpoint. Any number of threads can use it."""

    place: endpoint.Endpoint
    send: Callable[[bytes], HttpResponse]

    def __call__(self, operation: str, request: Mapping[str, Any]) -> Json:
        """Send one call and return its response.

        Raises Failed for an error, and NoResponse if no complete response arrives.
        """
        body = encode(request)
        headers = sigv4.signed(
            {"host": self.place.host, "content-type": JSON, "x-amz-target": f"{VERSION}.{operation}"},
            body,
            credentials=self.place.credentials(),
            region=self.place.region,
            at_ms=clock.now_ms(),
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
        return decode(self.send(head.encode("latin-1") + body))


def encode(request: Mapping[str, Any]) -> bytes:
    """Encode a request as DynamoDB's JSON, with binary values in base64."""
    return _ENCODER.encode(request).encode()


def decode(response: HttpResponse) -> Json:
    """Decode a response, with binary values as bytes.

    Raises Failed if the response is an error, and NoResponse if it can't be parsed or its CRC-32 is wrong.
    """
    if response.headers.get("x-amz-crc32") not in (None, str(zlib.crc32(response.body))):
        raise NoResponse("the response's checksum is wrong")
    if response.status != 200:
        raise Failed(_parse_error(response))
    try:
        return _parse(response.body)
    except ValueError as error:
        raise NoResponse(str(error)) from None


def _parse_error(response: HttpResponse) -> Json:
    """Return an error in botocore's format.

    If the body isn't JSON, for example from a proxy, the status is used as the code.
    """
    try:
        parsed = _parse(response.body)
    except ValueError:
        parsed = {}
    named = parsed.pop("__type", "") or response.headers.get("x-amzn-errortype", "") or response.status
    # A namespace may precede the code, and a URL may follow it.
    code = str(named).partition(":")[0].rpartition("#")[2]
    messages = [parsed.pop(name, "") for name in ("message", "Message")]
    metadata = {"HTTPStatusCode": response.status, "RequestId": response.headers.get("x-amzn-requestid", "")}
    return {**parsed, "Error": {"Code": code, "Message": messages[0] or messages[1]}, "ResponseMetadata": metadata}


def _parse(body: bytes) -> Json:
    # Binary values are decoded only if the response may contain any.
    hook = _from_base64 if b'"B"' in body or b'"BS"' in body else None
    try:
        parsed = json.loads(body, object_hook=hook)
    except RecursionError:
        raise ValueError("the response is nested too deeply") from None
    except ValueError:
        raise ValueError("the response is not JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("the response is not an object")
    return parsed


def _to_base64(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} can't be encoded.")


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_to_base64)


def _from_base64(value: Json) -> Json:
    """Decode an attribute value of type B or BS.

    In a map, an entry may also be named B or BS. The value of such an entry is an object, and it isn't decoded.
    """
    if len(value) == 1:
        if isinstance(value.get("B"), str):
            return {"B": b64decode(value["B"])}
        if isinstance(value.get("BS"), list):
            return {"BS": [b64decode(each) for each in value["BS"]]}
    return value
