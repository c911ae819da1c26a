"""The codec reads and writes DynamoDB's JSON like botocore."""

import json
import zlib
from typing import Any

import botocore.session
import pytest
from botocore.parsers import JSONParser
from botocore.serialize import JSONSerializer
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.dynamodb import codec, endpoint, sigv4
from chalicelib.core.dynamodb.connection_pool import NoResponse
from chalicelib.core.dynamodb.http_response import HttpResponse
from tests.support.harness import START_MS, TestApp

MODEL = botocore.session.get_session().get_service_model("dynamodb").operation_model("PutItem")
SCALARS = (
    st.builds(lambda text: {"S": text}, st.text(max_size=20))
    | st.builds(lambda number: {"N": str(number)}, st.integers())
    | st.builds(lambda raw: {"B": raw}, st.binary(max_size=20))
    | st.builds(lambda raw: {"BS": raw}, st.lists(st.binary(max_size=9), min_size=1, max_size=3))
    | st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=9), min_size=1, max_size=3))
    | st.sampled_from([{"BOOL": True}, {"NULL": True}])
)
NAMES = st.sampled_from(["B", "BS", "S", "M", "L", "name", "ß"])
VALUES = st.recursive(
    SCALARS,
    lambda value: (
        st.builds(lambda values: {"L": values}, st.lists(value, max_size=3))
        | st.builds(lambda values: {"M": values}, st.dictionaries(NAMES, value, max_size=3))
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


def make_response(body: bytes, status: int = 200, **headers: str) -> HttpResponse:
    """Return a response as the connection pool returns it."""
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@given(ITEMS)
def test_request_equals_botocores(item: dict[str, Any]) -> None:
    """A request equals botocore's; binary values at any depth are base64."""
    request = {"TableName": "t", "Item": item}
    expected = JSONSerializer().serialize_to_request(request, MODEL)["body"]
    assert json.loads(codec.encode(request)) == json.loads(expected)


@given(ITEMS)
def test_response_equals_botocores(item: dict[str, Any]) -> None:
    """A response is decoded to the same values as by botocore, even if an attribute is named like a type."""
    body = codec.encode({"Attributes": item})
    response = {"status_code": 200, "headers": {}, "body": body}
    expected = JSONParser().parse(response, MODEL.output_shape)
    expected.pop("ResponseMetadata")
    assert codec.decode(make_response(body)) == expected == {"Attributes": item}


def test_unsupported_value_is_rejected() -> None:
    """A value of a type that DynamoDB doesn't have is rejected before the call."""
    with pytest.raises(TypeError, match="set"):
        codec.encode({"Item": {"S": {1, 2}}})


def test_error_equals_botocores() -> None:
    """Code, message, reasons and items of an error equal those that botocore parses."""
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"raw": {"B": "aGk="}}}]
    body = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "no"}
    answer = make_response(json.dumps(body | {"CancellationReasons": reasons}).encode(), 400, x_amzn_requestid="1")
    with pytest.raises(codec.Failed) as failed:
        codec.decode(answer)
    response = failed.value.response
    assert response["Error"] == {"Code": "TransactionCanceledException", "Message": "no"}
    assert response["ResponseMetadata"] == {"HTTPStatusCode": 400, "RequestId": "1"}
    assert response["CancellationReasons"][1]["Item"] == {"raw": {"B": b"hi"}}


@pytest.mark.parametrize(
    "named",
    [
        "com.amazon.coral.service#ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/",
        *("ThrottlingException:http://here#there", "a.b#ThrottlingException", "ThrottlingException"),
    ],
)
def test_error_code_is_extracted(named: str) -> None:
    """The error code is read from the body, or else from a header, without its namespace or URL."""
    body = json.dumps({"__type": named}).encode()
    expected = JSONParser().parse({"status_code": 400, "headers": {}, "body": body}, MODEL.output_shape)
    for answer in (make_response(body, 400), make_response(b"{}", 400, x_amzn_errortype=named)):
        with pytest.raises(codec.Failed) as failed:
            codec.decode(answer)
        assert failed.value.response["Error"]["Code"] == expected["Error"]["Code"] == "ThrottlingException"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("nested", [b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b'{"a":' + b"[" * 100_000])
def test_deeply_nested_response_is_an_error(status: int, nested: bytes) -> None:
    """A response that is nested too deeply for Python's parser counts as unreadable."""
    with pytest.raises((NoResponse, codec.Failed)):
        codec.decode(make_response(nested, status))


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b'["no object"]', b"\xff\xfe"])
def test_error_of_a_proxy_has_its_status(body: bytes) -> None:
    """An error from a proxy, whose body isn't DynamoDB's JSON, has the HTTP status as its code."""
    with pytest.raises(codec.Failed, match="502") as failed:
        codec.decode(make_response(body, 502))
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"Item": {"B": '])
def test_unreadable_response_counts_as_none(body: bytes) -> None:
    """An unreadable response counts as no response: the call may or may not have been executed."""
    with pytest.raises(NoResponse):
        codec.decode(make_response(body))


def test_damaged_response_counts_as_none() -> None:
    """A response that doesn't match its checksum was changed in transit, and counts as no response."""
    body = b'{"Item":{}}'
    good = str(zlib.crc32(body))
    assert codec.decode(make_response(body, x_amz_crc32=good)) == {"Item": {}}
    for bad in ("1", "x", ""):
        with pytest.raises(NoResponse, match="checksum"):
            codec.decode(make_response(body, x_amz_crc32=bad))


def test_call_is_one_signed_request(latchkey: TestApp) -> None:
    """A call is a POST to the root path, signed with the current time and credentials."""
    sent: list[bytes] = []
    caller = sigv4.Credentials("id", "secret", "token")

    def send(request: bytes) -> HttpResponse:
        sent.append(request)
        return make_response(b'{"Item":{}}')

    place = endpoint.Endpoint("http://db.example:8001", "db.example:8001", "eu-west-1", lambda: caller)
    assert codec.Caller(place, send)("GetItem", {"TableName": "t", "Key": {"é": {"B": b"hi"}}}) == {"Item": {}}
    (request,) = sent
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == b'{"TableName":"t","Key":{"\\u00e9":{"B":"aGk="}}}'
    first, *lines = head.decode("latin-1").split("\r\n")
    assert first == "POST / HTTP/1.1"
    named = {
        "host": "db.example:8001",
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "DynamoDB_20120810.GetItem",
    }
    signed = sigv4.signed(named, body, credentials=caller, region="eu-west-1", at_ms=START_MS)
    assert dict(line.split(": ", 1) for line in lines) == signed | {"content-length": str(len(body))}
    assert "x-amz-security-token" in signed


@pytest.mark.parametrize(
    ("body", "headers", "code", "message"),
    [
        (b'{"__type":"A","message":"m"}', {}, "A", "m"),
        (b'{"__type":"A","Message":"M"}', {}, "A", "M"),
        (b'{"__type":"A","message":"m","Message":"M"}', {}, "A", "m"),
        (b'{"__type":"A"}', {"x_amzn_errortype": "B"}, "A", ""),
        (b'{"message":"m"}', {"x_amzn_errortype": "B"}, "B", "m"),
        (b"{}", {}, "400", ""),
        (b"", {"x_amzn_errortype": "B"}, "B", ""),
    ],
)
def test_error_code_comes_from_body_then_header_then_status(
    body: bytes, headers: dict[str, str], code: str, message: str
) -> None:
    """The error code is read from the body, or else a header, or else the status."""
    with pytest.raises(codec.Failed, match=rf"^{code}$") as failed:
        codec.decode(make_response(body, 400, **headers))
    assert failed.value.response == {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": ""},
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "the response is not JSON"),
        (b"[1]", "the response is not an object"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_unreadable_response_states_the_reason(body: bytes, reason: str) -> None:
    """The error for an unreadable response states the reason, which appears in the log."""
    with pytest.raises(NoResponse, match=reason):
        codec.decode(make_response(body))


@pytest.mark.parametrize("status", [199, 201, 204, 302])
def test_only_200_is_a_success(status: int) -> None:
    """Only status 200 is a success; another 2xx comes from a proxy, because DynamoDB sends only 200."""
    with pytest.raises(codec.Failed, match=rf"^{status}$"):
        codec.decode(make_response(b"{}", status))


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b'{"a":{"B":"aGk="}}', {"a": {"B": b"hi"}}),
        (b'{"a":{"BS":["aGk=","aG8="]}}', {"a": {"BS": [b"hi", b"ho"]}}),
        (b'{"a":{"M":{"B":{"S":"aGk="}}}}', {"a": {"M": {"B": {"S": "aGk="}}}}),
        (b'{"a":{"M":{"BS":{"S":"aGk="}}}}', {"a": {"M": {"BS": {"S": "aGk="}}}}),
        (b'{"a":{"B":"aGk=","C":"x"}}', {"a": {"B": "aGk=", "C": "x"}}),
    ],
)
def test_binary_value_is_decoded_only_as_a_single_typed_member(raw: bytes, read: dict[str, Any]) -> None:
    """A member `B` is decoded from base64 only if it is the type of a value, not an attribute's name."""
    assert codec.decode(make_response(raw)) == read
