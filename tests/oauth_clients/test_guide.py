"""The commands in docs/oauth.md run unchanged, and have the documented output."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from chalicelib.limits.tiers import ANONYMOUS, CLIENT, REGISTRATIONS
from chalicelib.oauth import device, grants, issuance, reuse
from tests.examples.blocks import ROOT, blocks_of
from tests.oauth_clients.browser_user import CALLBACK, BrowserUser, parameter

pytestmark = pytest.mark.xdist_group("oauth_clients")

GUIDE = "docs/oauth.md"
BLOCKS = blocks_of(GUIDE)


@dataclass
class Reader:
    """A reader of the guide who runs its commands in a terminal. `read` contains the commands that were run."""

    user: BrowserUser
    exported: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def run(self, heading: str, nth: int = 0, **more: str) -> Any:
        """Run a command and return its output, parsed if the output is JSON."""
        code = _commands(heading)[nth]
        self.read.add(code)
        printed = _bash(code, {**os.environ, **self.exported, **more}).strip()
        return json.loads(printed) if printed.startswith("{") else printed

    def export(self, heading: str) -> None:
        """Run commands that export variables, and keep the variables for later commands."""
        (code,) = _commands(heading)
        self.read.add(code)
        printed = _bash(f"{code}env -0", {"PATH": os.environ["PATH"], **self.exported})
        self.exported |= dict(pair.split("=", 1) for pair in printed.split("\0") if pair)


@pytest.fixture
def reader(user: BrowserUser) -> Reader:
    """A reader who has registered a confidential application."""
    application = user.register_client()
    assert application.client_secret is not None
    given = {"CLIENT_ID": application.client_id, "CLIENT_SECRET": application.client_secret}
    return Reader(user, {"BASE_URL": user.issuer, "REDIRECT_URI": CALLBACK, **given})


def test_commands_do_what_the_guide_says(reader: Reader) -> None:
    """The commands complete all flows in the documented order, and no command of the guide is left out."""
    user = reader.user
    made = reader.run("Dynamic client registration")
    assert _form(made) == _form(_read_documented("Dynamic client registration"))
    managed = {"REGISTRATION_CLIENT_URI": made["registration_client_uri"]}
    managed["REGISTRATION_ACCESS_TOKEN"] = made["registration_access_token"]
    assert reader.run("Dynamic client registration", 1, **managed) == made

    first = _by_code(reader, 0)
    assert _form(first) == _form(_read_documented("3. Access token request"))
    assert first["expires_in"] == issuance.ACCESS_S
    second = reader.run("Refreshing an access token", REFRESH_TOKEN=first["refresh_token"])
    live = reader.run("Token introspection", ACCESS_TOKEN=second["access_token"])
    assert _form(live) == _form(_read_documented("Token introspection"))
    assert (live["sub"], live["account_id"]) == (user.person.user_id, user.person.id)
    assert reader.run("Token revocation", REFRESH_TOKEN=second["refresh_token"]) == {}
    assert reader.run("Token introspection", ACCESS_TOKEN=second["access_token"]) == {"active": False}
    assert user.is_rejected(second["access_token"])

    again = _by_code(reader, 1)
    assert user.is_described_by(reader.run("4. Call the API", ACCESS_TOKEN=again["access_token"]))
    own = reader.run("Client credentials")
    assert user.is_represented_by(reader.run("4. Call the API", ACCESS_TOKEN=own["access_token"]))
    assert own["scope"] == "read write"

    shown = reader.run("Device flow")
    assert _form(shown) == _form(_read_documented("Device flow"))
    assert (shown["expires_in"], shown["interval"]) == (device.EXPIRES_IN_S, device.INTERVAL_S)
    user.approve_device(shown["verification_uri_complete"])
    connected = reader.run("Device flow", 1, DEVICE_CODE=shown["device_code"])
    assert user.is_described_by(reader.run("4. Call the API", ACCESS_TOKEN=connected["access_token"]))

    assert reader.run("Discovery")["issuer"] == user.issuer
    settings = {block.code for block in BLOCKS if block.heading in ("OAuth", "Registering an application")}
    assert reader.read | settings >= {block.code for block in BLOCKS if block.language == "bash"}


def test_error_is_as_the_guide_shows_it(reader: Reader) -> None:
    """The body of the server's error equals the one in the guide."""
    asked = {"grant_type": "client_credentials", "client_id": reader.exported["CLIENT_ID"], "client_secret": "wrong"}
    response = requests.post(f"{reader.user.issuer}/oauth/token", data=asked, timeout=30)
    assert response.text + "\n" == next(block.code for block in BLOCKS if block.heading == "Errors")


def test_numbers_are_those_of_the_code() -> None:
    """The documented lifetimes and limits equal the constants of the code."""
    text = (ROOT / GUIDE).read_text()
    assert f"authorization code | {issuance.CODE_S} seconds" in text
    assert f"within {reuse.RETRY_MS // 1000} seconds" in text
    assert f"within {reuse.PUBLIC_RETRY_MS // 1000} seconds" in text
    assert f"at most {grants.LIFETIME_MS // 86_400_000} days" in text
    assert f"{CLIENT.quota:,} requests an hour and a burst of {CLIENT.burst}" in text
    assert f"{ANONYMOUS.quota:,} an hour, a burst of {ANONYMOUS.burst}" in text
    assert f"limited to {REGISTRATIONS.quota} an hour" in text


def _by_code(reader: Reader, way: int) -> Any:
    """Complete the code flow, with a form or with JSON."""
    reader.export("1. Create a code verifier and a state")
    callback = reader.user.allow(reader.run("2. Authorization request"))
    assert parameter(callback, "state") == reader.exported["STATE"]
    assert parameter(callback, "iss") == reader.user.issuer
    return reader.run("3. Access token request", way, CODE=parameter(callback, "code"))


def _commands(heading: str) -> list[str]:
    return [block.code for block in BLOCKS if (block.heading, block.language) == (heading, "bash")]


def _read_documented(heading: str) -> Any:
    """Return the response that the guide shows under a heading."""
    (shown,) = (block.code for block in BLOCKS if (block.heading, block.language) == (heading, "json"))
    return json.loads(shown)


def _bash(code: str, environment: Mapping[str, str]) -> str:
    ended = subprocess.run(["bash", "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _form(value: Any) -> Any:
    """Return a JSON value in which each scalar is replaced by its type."""
    if isinstance(value, dict):
        return {name: _form(held) for name, held in value.items()}
    return [_form(held) for held in value] if isinstance(value, list) else type(value)
