"""DynamoDB's endpoint and credentials are those that botocore finds.

Botocore isn't used if environment variables suffice.
"""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import botocore.session
import pytest

from chalicelib.core.dynamodb import endpoint
from chalicelib.core.dynamodb.sigv4 import Credentials

WHO = {"AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "two"}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without AWS variables."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "DEFAULT_REGION", "REGION", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return monkeypatch


def test_endpoint_of_every_region_equals_botocores() -> None:
    """The endpoint of every region equals botocore's."""
    session = botocore.session.get_session()
    asked_botocore = 0
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("dynamodb", partition):
            place = endpoint.from_environment(WHO | {"AWS_REGION": region})
            if place is None:
                asked_botocore += 1
                continue
            client = session.create_client(
                "dynamodb", region_name=region, aws_access_key_id="one", aws_secret_access_key="two"
            )
            assert (place.url, place.region) == (client.meta.endpoint_url, region)
    assert 0 < asked_botocore < 12


def test_lambda_environment_is_sufficient() -> None:
    """Lambda's environment, which includes the session token, is sufficient without botocore."""
    place = endpoint.from_environment(WHO | {"AWS_REGION": "eu-central-1", "AWS_SESSION_TOKEN": "three"})
    assert place is not None
    assert place.host == "dynamodb.eu-central-1.amazonaws.com"
    assert place.credentials() == Credentials("one", "two", "three")


def test_configured_endpoint_takes_precedence() -> None:
    """AWS_ENDPOINT_URL_DYNAMODB takes precedence over AWS_ENDPOINT_URL, and the Host header contains the port."""
    chosen = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8001", "AWS_ENDPOINT_URL": "http://127.0.0.1:8002"}
    place = endpoint.from_environment(WHO | {"AWS_DEFAULT_REGION": "us-east-1"} | chosen)
    assert place is not None
    assert (place.url, place.host) == ("http://127.0.0.1:8001", "127.0.0.1:8001")


def test_malformed_endpoint_is_reported() -> None:
    """A malformed endpoint is reported as such, not as an unknown host."""
    with pytest.raises(endpoint.NotConfigured, match="localhost:8001"):
        endpoint.from_environment(WHO | {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "localhost:8001"})


def test_profile_is_read_by_botocore(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On an operator's machine, botocore reads region, endpoint and keys from the profile."""
    (tmp_path / "aws_config_file").write_text(
        "[profile mine]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:8009\n"
    )
    (tmp_path / "aws_shared_credentials_file").write_text(
        "[mine]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n"
    )
    bare.setenv("AWS_PROFILE", "mine")
    bare.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
    place = endpoint.find_endpoint()
    assert (place.url, place.region) == ("http://127.0.0.1:8009", "eu-west-1")
    assert place.credentials() == Credentials("a", "b", "c")


def test_missing_configuration_names_the_remedy(bare: pytest.MonkeyPatch) -> None:
    """If the region or the credentials are missing, the error names the variable that sets the missing value."""
    with pytest.raises(endpoint.NotConfigured, match="AWS_DEFAULT_REGION"):
        endpoint.find_endpoint()
    bare.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(endpoint.NotConfigured, match="AWS_ACCESS_KEY_ID"):
        endpoint.find_endpoint()


class Vending(BaseHTTPRequestHandler):
    """A server that returns different credentials each time, valid for five minutes, like a container's role."""

    handed_out = 0

    def do_GET(self) -> None:
        Vending.handed_out += 1
        ends = datetime.now(UTC) + timedelta(minutes=5)
        response = {
            "AccessKeyId": f"id{self.handed_out}",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(response).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
        """Log nothing."""


@pytest.fixture
def role(bare: pytest.MonkeyPatch) -> Iterator[None]:
    """Credentials from a role whose tokens expire soon."""
    Vending.handed_out = 0
    with HTTPServer(("127.0.0.1", 0), Vending) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/")
        bare.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield
        server.shutdown()


def test_expiring_credentials_are_refreshed(role: None) -> None:
    """A call refreshes credentials that expire soon."""
    place = endpoint.find_endpoint()
    first, second = place.credentials(), place.credentials()
    assert first.key_id != second.key_id


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_incomplete_environment_needs_botocore(name: str) -> None:
    """If one of the required variables is missing or empty, botocore is used."""
    whole = WHO | {"AWS_REGION": "eu-west-1"}
    assert endpoint.from_environment(whole) is not None
    assert endpoint.from_environment(whole | {name: ""}) is None
    assert endpoint.from_environment({other: value for other, value in whole.items() if other != name}) is None


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ],
)
def test_environment_with_other_variables_needs_botocore(name: str) -> None:
    """If a variable is set that changes the credentials or the endpoint, botocore is used."""
    whole = WHO | {"AWS_REGION": "eu-west-1"}
    assert endpoint.from_environment(whole | {name: "x"}) is None
    assert endpoint.from_environment(whole | {name: ""}) is not None


def test_region_and_endpoint_follow_the_order_of_variables() -> None:
    """AWS_DEFAULT_REGION takes precedence over AWS_REGION. AWS_ENDPOINT_URL replaces the endpoint of the region."""
    place = endpoint.from_environment(WHO | {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "us-east-1"})
    assert place is not None
    assert (place.region, place.url) == ("eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com")
    place = endpoint.from_environment(WHO | {"AWS_REGION": "cn-north-1"})
    assert place is not None
    assert (place.url, place.credentials().token) == ("https://dynamodb.cn-north-1.amazonaws.com.cn", "")
    place = endpoint.from_environment(WHO | {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "https://db.example"})
    assert place is not None
    assert (place.url, place.host) == ("https://db.example", "db.example")


@pytest.mark.parametrize("url", ["ftp://db.example", "https://", "//db.example", "db.example", "http:db"])
def test_endpoint_must_be_a_whole_url(url: str) -> None:
    """An endpoint without a supported scheme or a host is rejected."""
    with pytest.raises(endpoint.NotConfigured) as raised:
        endpoint.from_environment(WHO | {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url})
    assert str(raised.value) == (
        f"The endpoint {url!r} is not a URL. Set AWS_ENDPOINT_URL to one like http://127.0.0.1:8001."
    )
