"""Signatures equal botocore's for any request."""

from datetime import UTC, datetime
from unittest import mock

import botocore.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Reference
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.dynamodb.sigv4 import Credentials, signed
from tests.support.harness import START_MS

HEADERS = {"host": "dynamodb.us-east-1.amazonaws.com", "content-type": "application/x-amz-json-1.0"}
WORDS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789/+=-_.:"), min_size=1, max_size=60)


def sign_by_botocore(
    headers: dict[str, str], body: bytes, caller: Credentials, region: str, at_ms: int
) -> dict[str, str]:
    """Return the headers that botocore would send."""
    request = AWSRequest("POST", f"https://{headers['host']}/", headers=headers, data=body)
    moment = datetime.fromtimestamp(at_ms // 1000, UTC).replace(tzinfo=None)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        SigV4Auth(Reference(caller.key_id, caller.secret, caller.token or None), "dynamodb", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    operation=WORDS,
    body=st.binary(max_size=2_000),
    caller=st.builds(Credentials, WORDS, WORDS, st.just("") | WORDS),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"]),
    at_ms=st.integers(0, 4_102_444_800_000),
)
def test_signature_equals_botocores(operation: str, body: bytes, caller: Credentials, region: str, at_ms: int) -> None:
    """Signatures equal botocore's with and without a session token, on every day."""
    headers = {**HEADERS, "x-amz-target": f"DynamoDB_20120810.{operation}"}
    actual = signed(headers, body, credentials=caller, region=region, at_ms=at_ms)
    assert actual == sign_by_botocore(headers, body, caller, region, at_ms)


def test_repr_of_credentials_shows_no_secret() -> None:
    """The repr of credentials omits the secret, because a traceback may contain it."""
    assert repr(Credentials("id", "hidden one", "hidden two")) == "Credentials(key_id='id')"


def test_signature_is_dated_to_the_second() -> None:
    """A signature has the time in UTC to the second, and uses the signing key of that day."""
    caller = Credentials("id", "secret")
    made = signed(HEADERS, b"{}", credentials=caller, region="eu-west-1", at_ms=START_MS + 999)
    assert made["x-amz-date"] == "20211220T100000Z"
    assert "Credential=id/20211220/eu-west-1/dynamodb/aws4_request, " in made["authorization"]
    assert made == sign_by_botocore(HEADERS, b"{}", caller, "eu-west-1", START_MS)
    assert "x-amz-security-token" not in made
