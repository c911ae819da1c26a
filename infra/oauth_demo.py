"""`make oauth-demo`: run the authorization code flow against `make run`, and print every request and response.

Secrets are printed, too, because the command demonstrates the flow. It plays three roles: the client, the browser in
which the Pro demo account logs in and consents, and the server at the client's redirect URI.
"""

import base64
import hashlib
import html
import json
import os
import re
import secrets
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from infra import checkout, demo, engine
from infra.browser import Browser, Sent, call
from infra.failed import Mistake
from infra.local_gateway.response import Response

NOTHING_RUNS = "No local run was found. Start one with `make run`, then repeat this in another terminal."
_OF_PAGES = ("location", "set-cookie")
"""The headers of pages that are part of the flow and are therefore printed. All other headers concern security."""


class DemoError(Exception):
    """The flow can't continue; the message is the reason."""


def main() -> int:
    """Run the flow. If it fails, print the reason and return 1."""
    try:
        checkout.check_local()
        running = engine.running()
        if running is None:
            raise DemoError(NOTHING_RUNS)
        _walk(running[1])
    except ConnectionError:
        print(NOTHING_RUNS, file=sys.stderr)
        return 1
    except (DemoError, Mistake, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _walk(url: str) -> None:
    with Callback() as callback:
        client_id, client_secret = _client(url)
        state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        code = _code(url, client_id, callback, state, verifier)
        _say("The client exchanges the code for tokens, in JSON as here or as a form, which is the format of RFC 6749.")
        exchange = {
            "client_id": client_id,
            "client_secret": client_secret,
            "code": code,
            "grant_type": "authorization_code",
            "redirect_uri": callback.uri,
            "code_verifier": verifier,
        }
        tokens = _post(f"{url}/oauth/token", exchange).json()
        _say("The client calls the API with the access token.")
        _call_api(url, tokens["access_token"])
        _say("The access token expires within the hour. The client exchanges the refresh token for new tokens.")
        ours = {"client_id": client_id, "client_secret": client_secret}
        again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **ours}
        tokens = _post(f"{url}/oauth/token", again).json()
        _call_api(url, tokens["access_token"])
        _say("The client revokes the refresh token, which revokes all tokens of this grant.")
        _post(f"{url}/oauth/revoke", {"token": tokens["refresh_token"], **ours})
        _call_api(url, tokens["access_token"], expected=401)


def _client(url: str) -> tuple[str, str]:
    """Return a client's id and secret. Without a client in the environment, register a new one."""
    client_id, client_secret = os.environ.get("CLIENT_ID", ""), os.environ.get("CLIENT_SECRET", "")
    if client_id and client_secret:
        return client_id, client_secret
    if client_id or client_secret:
        raise DemoError("Set both CLIENT_ID and CLIENT_SECRET or, to register a new client, neither.")
    _say("The client registers itself (RFC 7591). You can also use a client registered under Settings > Applications.")
    described = {
        "client_name": "Walk-through",
        "redirect_uris": [demo.REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
    }
    made = _post(f"{url}/oauth/register", described, expected=201).json()
    return made["client_id"], made["client_secret"]


def _code(url: str, client_id: str, callback: "Callback", state: str, verifier: str) -> str:
    """Return the authorization code that the client gets after the user's consent."""
    email, password = demo.log_in_of(demo.OWNER.name)
    _say("The client creates a secret verifier. The code can be exchanged only with this verifier (PKCE, RFC 7636).")
    _say(f"The client sends the browser to the authorization endpoint. There {email} logs in and consents.")
    asked = {
        "client_id": client_id,
        "redirect_uri": callback.uri,
        "response_type": "code",
        "scope": "read write",
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    browser = Browser(url, watch=_print)
    location = browser.decide(f"{url}/oauth/authorize?{urlencode(asked)}", "allow", email=email, password=password)
    _say("The browser is redirected to the client, which listens at its redirect URI and checks `state` and `iss`.")
    call("GET", location, watch=_print)
    response = callback.await_response()
    if (response.get("state"), response.get("iss")) != (state, url):
        raise DemoError("The response doesn't belong to the request: its `state` or `iss` differs.")
    if "code" not in response:
        raise DemoError(f"The server denied the request: {response.get('error')}, {response.get('error_description')}")
    return response["code"]


def challenge_of(verifier: str) -> str:
    """Return the S256 code challenge of a verifier: its SHA-256 in base64url without padding (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _call_api(url: str, access_token: str, expected: int = 200) -> None:
    _expect(expected, call("GET", f"{url}/v1/users", {"Authorization": f"Bearer {access_token}"}, watch=_print))


def _post(url: str, body: dict[str, Any], expected: int = 200) -> Response:
    headers = {"Content-Type": "application/json"}
    return _expect(expected, call("POST", url, headers, json.dumps(body, indent=2).encode(), watch=_print))


def _expect(status: int, response: Response) -> Response:
    if response.status != status:
        raise DemoError(f"The server returned {response.status}: {response.body.decode()}")
    return response


class Callback(HTTPServer):
    """The server at the client's redirect URI, on a free port. It accepts one request during a `with` block."""

    def __init__(self) -> None:
        """Start to listen."""
        super().__init__(("127.0.0.1", 0), _Back)
        self.timeout = 10
        self.uri = f"http://127.0.0.1:{self.server_port}/callback"
        self.query = ""
        self._thread = threading.Thread(target=self.handle_request, daemon=True)
        self._thread.start()

    def await_response(self) -> dict[str, str]:
        """Wait for the browser's request, and return its query parameters: the authorization response."""
        self._thread.join()
        return {name: values[0] for name, values in parse_qs(self.query).items()}


class _Back(BaseHTTPRequestHandler):
    server: Callback

    def do_GET(self) -> None:
        self.server.query = urlsplit(self.path).query
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"You can close this window.")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Print nothing, since the browser prints the request and the response."""


def _say(what: str) -> None:
    print("\n" + "\n".join(f"# {line}" for line in textwrap.wrap(what, 100)))


def _print(sent: Sent, response: Response) -> None:
    parts = urlsplit(sent.url)
    print(f"\n> {sent.method} {parts.path}{'?' if parts.query else ''}{parts.query} HTTP/1.1\n> Host: {parts.netloc}")
    _print_rest(">", list(sent.headers.items()), sent.body.decode())
    print(f"\n< HTTP/1.1 {response.status}")
    text, is_page = response.body.decode(), (response.header("Content-Type") or "").startswith("text/html")
    headers = [(name, value) for name, value in response.headers if not is_page or name.lower() in _OF_PAGES]
    _print_rest("<", headers, _title(text) if is_page else text)


def _print_rest(mark: str, headers: list[tuple[str, str]], body: str) -> None:
    for name, value in headers:
        print(f"{mark} {name}: {value}")
    if body:
        print(mark, *body.splitlines(), sep=f"\n{mark} ")


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    return f"(the page “{html.unescape(found[1])}”)" if found else ""


if __name__ == "__main__":
    sys.exit(main())
