"""OAuth clients for browser tests, registered in the console or dynamically."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

import requests
from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.oauth.flow import CHALLENGE, VERIFIER

REDIRECT_URI = "http://127.0.0.1:9/back"
"""A redirect URI on which no server listens and to which no test redirects."""


def register(page: Page, console: Console, name: str, redirect_uri: str = REDIRECT_URI) -> str:
    """Register a confidential application in the console, stay on the page with its secret, and return its id."""
    page.goto(f"{console.url}/settings/applications/new")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("Redirect URIs").fill(redirect_uri)
    page.get_by_role("checkbox", name="Write").check()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Copy the secret now.")).to_be_visible()
    return page.get_by_label("Client ID").input_value()


def register_dynamically(console: Console, name: str, redirect_uri: str = REDIRECT_URI) -> str:
    """Register a public client dynamically (RFC 7591) and return its id."""
    fields = {
        "client_name": name,
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    }
    response = requests.post(f"{console.url}/oauth/register", json=fields, timeout=60)
    assert response.status_code == 201, response.text
    return str(response.json()["client_id"])


def authorize_url(console: Console, client_id: str, scope: str, redirect_uri: str = REDIRECT_URI) -> str:
    """Return the authorization URL of a client."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": "af0ifjsldkj",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{console.url}/oauth/authorize?{urlencode(query)}"


def revoke_grant(console: Console, client_id: str, back: str) -> None:
    """Exchange the code in the redirect URL, then revoke the refresh token (RFC 7009)."""
    redirect_uri, _, query = back.partition("?")
    fields = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": parse_qs(query)["code"][0],
        "redirect_uri": redirect_uri,
        "code_verifier": VERIFIER,
    }
    response = requests.post(f"{console.url}/oauth/token", data=fields, timeout=60)
    assert response.status_code == 200, response.text
    given = {"client_id": client_id, "token": response.json()["refresh_token"]}
    assert requests.post(f"{console.url}/oauth/revoke", data=given, timeout=60).status_code == 200


@dataclass(frozen=True, slots=True)
class Device:
    """A device with a pending authorization request (RFC 8628)."""

    client_id: str
    user_code: str
    device_code: str

    def token(self, console: Console) -> str:
        """Return the access token that the device gets after the user's approval."""
        fields = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "client_id": self.client_id,
            "device_code": self.device_code,
        }
        response = requests.post(f"{console.url}/oauth/token", data=fields, timeout=60)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])


def start_device(console: Console, client_id: str) -> Device:
    """Start a device authorization, and return the device with its user code."""
    response = requests.post(f"{console.url}/oauth/device_authorization", data={"client_id": client_id}, timeout=60)
    assert response.status_code == 200, response.text
    body = response.json()
    return Device(client_id, body["user_code"], body["device_code"])
