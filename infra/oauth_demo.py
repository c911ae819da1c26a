"""`make oauth-demo`: the authorization code flow against a running `make run`, with each request and response printed.

Like `curl -v` it prints what it sends, secrets included: it demonstrates the flow. It is
three things at once: the client, the browser in which the Pro demo account logs in and consents, and the client's
redirect URI.
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

NOTHING_RUNS = "Nothing runs locally. Start it with `make run`, then repeat this in another terminal."
_OF_PAGES = ("location", "set-cookie")
"""The response headers that belong to the flow; the others are security headers."""


class DemoError(Exception):
    """The flow can't go on; the message says why."""


def main() -> int:
    """Walk through the flow; return 1, having said why, where it can't be."""
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
        _say("The client exchanges the code for tokens, by JSON as the guide shows it, or by a form as RFC 6749 does.")
        exchange = {
            "client_id": client_id,
            "client_secret": client_secret,
            "code": code,
            "grant_type": "authorization_code",
            "redirect_uri": callback.uri,
            "code_verifier": verifier,
        }
        tokens = _posted(f"{url}/oauth/token", exchange).json()
        _say("It calls the API with the access token.")
        _called(url, tokens["access_token"])
        _say("The access token expires within the hour. The client exchanges the refresh token for new tokens.")
        ours = {"client_id": client_id, "client_secret": client_secret}
        again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **ours}
        tokens = _posted(f"{url}/oauth/token", again).json()
        _called(url, tokens["access_token"])
        _say("When it is done it revokes the refresh token: all tokens of this grant are revoked.")
        _posted(f"{url}/oauth/revoke", {"token": tokens["refresh_token"], **ours})
        _called(url, tokens["access_token"], expected=401)


def _client(url: str) -> tuple[str, str]:
    """Return a client's id and secret: from the environment, or by dynamic registration."""
    client_id, client_secret = os.environ.get("CLIENT_ID", ""), os.environ.get("CLIENT_SECRET", "")
    if client_id and client_secret:
        return client_id, client_secret
    if client_id or client_secret:
        raise DemoError("CLIENT_ID and CLIENT_SECRET go together; without both, a client registers itself.")
    _say("The client registers itself (RFC 7591). One registered under Settings > Applications does as well.")
    described = {
        "client_name": "Walk-through",
        "redirect_uris": [demo.REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_post",
    }
    made = _posted(f"{url}/oauth/register", described, expected=201).json()
    return made["client_id"], made["client_secret"]


def _code(url: str, client_id: str, callback: "Callback", state: str, verifier: str) -> str:
    """Return the authorization code after the user's consent."""
    email, password = demo.log_in_of(demo.OWNER.name)
    _say(
        "The client makes a secret, the verifier, and keeps it: only who has it can exchange the code (PKCE, RFC 7636)."
    )
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
    _say("The browser goes back to the client, which listens at its redirect URI and checks `state` and `iss`.")
    call("GET", location, watch=_print)
    answer = callback.answer()
    if (answer.get("state"), answer.get("iss")) != (state, url):
        raise DemoError("The response doesn't belong to the request: its `state` or `iss` differs.")
    if "code" not in answer:
        raise DemoError(f"The server denied the request: {answer.get('error')}, {answer.get('error_description')}")
    return answer["code"]


def challenge_of(verifier: str) -> str:
    """Return the SHA-256 of a verifier in base64url without padding (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _called(url: str, access_token: str, expected: int = 200) -> None:
    _expect(expected, call("GET", f"{url}/v1/users", {"Authorization": f"Bearer {access_token}"}, watch=_print))


def _posted(url: str, body: dict[str, Any], expected: int = 200) -> Response:
    headers = {"Content-Type": "application/json"}
    return _expect(expected, call("POST", url, headers, json.dumps(body, indent=2).encode(), watch=_print))


def _expect(status: int, answer: Response) -> Response:
    if answer.status != status:
        raise DemoError(f"The server responded {answer.status}: {answer.body.decode()}")
    return answer


class Callback(HTTPServer):
    """The client's redirect URI, at a free port. A `with` block listens for one request."""

    def __init__(self) -> None:
        """Listen."""
        super().__init__(("127.0.0.1", 0), _Back)
        self.timeout = 10
        self.uri = f"http://127.0.0.1:{self.server_port}/callback"
        self.query = ""
        self._thread = threading.Thread(target=self.handle_request, daemon=True)
        self._thread.start()

    def answer(self) -> dict[str, str]:
        """Return the query parameters of the browser's request."""
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
        """Print nothing: the exchange is printed by the browser."""


def _say(what: str) -> None:
    print("\n" + "\n".join(f"# {line}" for line in textwrap.wrap(what, 100)))


def _print(sent: Sent, answer: Response) -> None:
    parts = urlsplit(sent.url)
    print(f"\n> {sent.method} {parts.path}{'?' if parts.query else ''}{parts.query} HTTP/1.1\n> Host: {parts.netloc}")
    _print_rest(">", list(sent.headers.items()), sent.body.decode())
    print(f"\n< HTTP/1.1 {answer.status}")
    text, is_page = answer.body.decode(), (answer.header("Content-Type") or "").startswith("text/html")
    headers = [(name, value) for name, value in answer.headers if not is_page or name.lower() in _OF_PAGES]
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
