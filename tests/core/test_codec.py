"""What DynamoDB's JSON says is what botocore reads from it, and the other way round."""

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
from chalicelib.core.dynamodb.http_response import Answer
from tests.support.harness import NOON_MS, TestApp

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


def answered(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Return an answer as it comes off a connection."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@given(ITEMS)
def test_request_is_botocores(item: dict[str, Any]) -> None:
    """Binary values at any depth are base64."""
    request = {"TableName": "t", "Item": item}
    theirs = JSONSerializer().serialize_to_request(request, MODEL)["body"]
    assert json.loads(codec.encode(request)) == json.loads(theirs)


@given(ITEMS)
def test_answer_is_botocores(item: dict[str, Any]) -> None:
    """An attribute that has the name of a type is no value of that type."""
    body = codec.encode({"Attributes": item})
    response = {"status_code": 200, "headers": {}, "body": body}
    theirs = JSONParser().parse(response, MODEL.output_shape)
    theirs.pop("ResponseMetadata")
    assert codec.decode(answered(body)) == theirs == {"Attributes": item}


def test_what_has_no_form_on_the_wire_is_refused() -> None:
    """A mistake of ours shows here, not as an error of DynamoDB's."""
    with pytest.raises(TypeError, match="set"):
        codec.encode({"Item": {"S": {1, 2}}})


def test_error_is_botocores() -> None:
    """Code, message, reasons and items, whatever the spelling."""
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": {"raw": {"B": "aGk="}}}]
    body = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "no"}
    answer = answered(json.dumps(body | {"CancellationReasons": reasons}).encode(), 400, x_amzn_requestid="1")
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
def test_error_is_named_without_what_stands_around_it(named: str) -> None:
    """A namespace before it, the address of a page behind it; in the body, or else in a header."""
    body = json.dumps({"__type": named}).encode()
    theirs = JSONParser().parse({"status_code": 400, "headers": {}, "body": body}, MODEL.output_shape)
    for answer in (answered(body, 400), answered(b"{}", 400, x_amzn_errortype=named)):
        with pytest.raises(codec.Failed) as failed:
            codec.decode(answer)
        assert failed.value.response["Error"]["Code"] == theirs["Error"]["Code"] == "ThrottlingException"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("nested", [b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b'{"a":' + b"[" * 100_000])
def test_answer_that_is_nested_too_deeply_is_an_error_of_ours(status: int, nested: bytes) -> None:
    """Python gives up on it in a way that nobody expects."""
    with pytest.raises((NoResponse, codec.Failed)):
        codec.decode(answered(nested, status))


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b'["no object"]', b"\xff\xfe"])
def test_error_of_something_in_between_has_its_status(body: bytes) -> None:
    """A proxy's page isn't DynamoDB's JSON."""
    with pytest.raises(codec.Failed, match="502") as failed:
        codec.decode(answered(body, 502))
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"Item": {"B": '])
def test_answer_that_cannot_be_read_is_none(body: bytes) -> None:
    """Whether the call was carried out, nobody knows."""
    with pytest.raises(NoResponse):
        codec.decode(answered(body))


def test_damaged_answer_is_none() -> None:
    """DynamoDB sends a checksum; what doesn't fit was changed on the way."""
    body = b'{"Item":{}}'
    good = str(zlib.crc32(body))
    assert codec.decode(answered(body, x_amz_crc32=good)) == {"Item": {}}
    for bad in ("1", "x", ""):
        with pytest.raises(NoResponse, match="checksum"):
            codec.decode(answered(body, x_amz_crc32=bad))


def test_call_is_one_signed_request(latchkey: TestApp) -> None:
    """A POST to the root, its body in as few bytes as it takes, signed at this moment by the credentials of now."""
    sent: list[bytes] = []
    who = sigv4.Credentials("id", "secret", "token")

    def send(request: bytes) -> Answer:
        sent.append(request)
        return answered(b'{"Item":{}}')

    place = endpoint.Endpoint("http://db.example:8001", "db.example:8001", "eu-west-1", lambda: who)
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
    signed = sigv4.signed(named, body, credentials=who, region="eu-west-1", at_ms=NOON_MS)
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
def test_error_is_named_by_its_body_then_a_header_then_its_status(
    body: bytes, headers: dict[str, str], code: str, message: str
) -> None:
    """Its message in either spelling; neither stands in the answer a second time."""
    with pytest.raises(codec.Failed, match=rf"^{code}$") as failed:
        codec.decode(answered(body, 400, **headers))
    assert failed.value.response == {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": ""},
    }


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "the response is not JSON"),
        (b"[1]", "the response is not an object"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_answer_that_is_none_says_why(body: bytes, why: str) -> None:
    """For the log."""
    with pytest.raises(NoResponse, match=why):
        codec.decode(answered(body))


@pytest.mark.parametrize("status", [199, 201, 204, 302])
def test_only_200_is_an_answer(status: int) -> None:
    """DynamoDB has no other; what has is something in between."""
    with pytest.raises(codec.Failed, match=rf"^{status}$"):
        codec.decode(answered(b"{}", status))


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
def test_binary_value_is_what_is_named_so_and_stands_alone(raw: bytes, read: dict[str, Any]) -> None:
    """A map's member of that name is a value of its own."""
    assert codec.decode(answered(raw)) == read
