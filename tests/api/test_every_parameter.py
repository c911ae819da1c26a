"""No malformed value of any parameter of any route causes a 5xx."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import argon2
import pytest

from chalicelib.accounts import members
from chalicelib.accounts.tables import User
from chalicelib.api.console import cookies
from chalicelib.api.openapi.examples import example_of
from chalicelib.api.routing import route_of
from chalicelib.api.schema.body import Form, FormList
from chalicelib.api.schema.description import body_of, description_of, query_of
from chalicelib.api.schema.shapes import Kind
from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.errors import InvalidRequest
from infra.local_gateway.response import Response
from infra.routes import of_latchkey
from tests.api.console.places import Place, create_place
from tests.detection.signing import sign_with_shared_secret
from tests.oauth.flow import CALLBACK, REFRESH, App, as_json, register_client
from tests.support.console_client import FORM, PASSWORD, log_in_as, new_account
from tests.support.every_parameter import Parameter, parameters_in
from tests.support.harness import AccountOfTest, TestApp
from tests.support.malformed_input import MALFORMED, WRONG_TYPES

KINDS = ("nothing", "no URL", "over-long", "over-long in bytes", "an id of many", "not ASCII", "nul")
RUBBISH_HERE = {name: MALFORMED[name] for name in (*KINDS, "half a surrogate pair")}
"""Malformed values for every parameter. Values that could fail only in names or URLs are left out."""
GOOD = {
    "name": "Ada",
    "email": "new@example.com",
    "expiry": "7 days",
    "grace": "1 hour",
    "scopes": "read",
    "on_anomaly": "tell",
    "url": "https://hooks.example.com/",
    "types": "key.created",
    "status": "disabled",
    "kind": "public",
    "redirect_uris": CALLBACK,
    "tier": "pro",
    "reason": "because",
    "decision": "allow",
    "user_code": "BCDF-GHJK",
}
"""Valid values of a form's other fields, so that the tested field is read; passwords are omitted, as hashing is slow.
"""
HASHING = ("/login", "/signup", "/password", "/verify", "/settings/profile/email", "/settings/profile/password")
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""A password hash that is fast to verify."""
READS = ("GetItem", "BatchGetItem", "Query")


class Remembering:
    """A database sender that caches reads until the next write, and always admits requests."""

    def __init__(self) -> None:
        self.send = dynamodb.sender()
        self.known: dict[str, dynamodb.Json] = {}

    def __call__(self, operation: str, request: dynamodb.Json) -> dynamodb.Json:
        is_counter = request.get("TableName") == settings.current().table("windows")
        if not is_counter and operation not in READS:
            self.known = {key: response for key, response in self.known.items() if "-windows" in key}
            return self.send(operation, request)
        key = json.dumps([operation, request], sort_keys=True, default=str)
        if key not in self.known:
            self.known[key] = self.send(operation, request)
        return self.known[key]


@dataclass
class Sweep:
    """One object of each type, and credentials with access to all of them."""

    latchkey: TestApp
    there: Place
    secret: str
    app: App
    ids: dict[str, str]
    registration: str
    tokens: dict[str, str] = field(default_factory=dict)

    def log_in(self) -> None:
        """Restore the password and log in again, because a form may have changed it and ended all sessions."""
        user = User(self.there.admin.user_id)
        user.update(actions=[User.password_hash.set(CHEAP)], condition=User.listed.exists())
        membership = members.find(User.get(user.id), self.there.admin.id)
        self.there.console.cookies = log_in_as(self.latchkey, AccountOfTest(membership)).cookies
        self.tokens = self.there.console.token_fields()

    def target(self, route: str, **spoilt: str) -> str:
        """Return a path with ids of existing objects, except where a value is malformed."""
        ids = self.there.ids | self.ids | ({"client_id": self.app.id} if route.startswith("/settings") else {})
        named = {name: spoilt.get(name, ids.get(name, "x")) for name in re.findall(r"{(\w+)}", route)}
        return route.format(**{name: quote(text, safe="", errors="surrogatepass") for name, text in named.items()})

    def send(self, parameter: Parameter, values: list[object]) -> Response:
        """Send a request that is valid except for one parameter, which has these values."""
        return SENDERS[parameter.place](self, parameter, values)

    def call(self, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
        """Send a request with the credential that its route needs."""
        if target.startswith(("/v1/", "/oauth/register")):
            secret = self.registration if target.startswith("/oauth") else self.secret
            headers = {"Authorization": f"Bearer {secret}", **headers}
        if target.startswith("/v1/leaks"):
            headers |= {name: value for name, value in sign_with_shared_secret(body).items() if name not in headers}
        if target.startswith(("/v1", "/oauth")) and not target.startswith("/oauth/authorize"):
            return self.latchkey.call(method, target, body=body, headers=headers)
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.there.console.cookies.items())}
        origin = {"Origin": self.there.console.origin}
        return self.latchkey.call(method, target, body=body, headers=cookies | origin | headers)


def _in_path(sweep: Sweep, parameter: Parameter, values: list[object]) -> Response:
    target = sweep.target(parameter.route, **{parameter.name: "/".join(map(str, values)) or "%"})
    if parameter.route.startswith(("/v1", "/oauth")):
        return sweep.call(parameter.method, target, _good_json(sweep, parameter))
    body = _form(sweep, {}) if parameter.method == "POST" else b""
    return sweep.call(parameter.method, target, body, **{"Content-Type": FORM})


def _in_query(sweep: Sweep, parameter: Parameter, values: list[object]) -> Response:
    asked: dict[str, object] = {}
    if parameter.route == "/oauth/authorize":
        asked = {"client_id": sweep.app.id, "redirect_uri": CALLBACK, "response_type": "code"}
    query = urlencode({**asked, parameter.name: values}, doseq=True, errors="surrogatepass")
    body = _form(sweep, GOOD) if parameter.method == "POST" else b""
    target = f"{sweep.target(parameter.route)}?{query}"
    return sweep.call(parameter.method, target, body, **({"Content-Type": FORM} if body else {}))


def _in_form(sweep: Sweep, parameter: Parameter, values: list[object]) -> Response:
    if parameter.route.startswith("/oauth") and parameter.route != "/oauth/authorize":
        fields: dict[str, object] = {**sweep.app.credentials, "grant_type": REFRESH, "refresh_token": "x", "token": "x"}
    else:
        hashes = parameter.route.startswith(HASHING) and "password" not in parameter.name
        fields = {**GOOD, **({} if hashes else {"password": PASSWORD}), **sweep.tokens}
    names = ("email", "password", "next") if parameter.route == "/login" else (parameter.name,)
    body = urlencode({**fields, **dict.fromkeys(names, values)}, doseq=True, errors="surrogatepass").encode()
    return sweep.call(parameter.method, sweep.target(parameter.route), body, **{"Content-Type": FORM})


def _in_json(sweep: Sweep, parameter: Parameter, values: list[object]) -> Response:
    good = json.loads(_good_json(sweep, parameter) or b"{}")
    is_listed = isinstance(good, list)
    fields = good[0] if is_listed else good
    fields.pop(parameter.name, None)
    pairs = [*fields.items(), *((parameter.name, value) for value in values)]
    text = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    body = f"[{text}]" if is_listed else text
    return sweep.call(
        parameter.method, sweep.target(parameter.route), body.encode(), **{"Content-Type": "application/json"}
    )


def _in_header(sweep: Sweep, parameter: Parameter, values: list[object]) -> Response:
    body = _good_json(sweep, parameter)
    scheme = "Bearer " if parameter.name == "Authorization" else ""
    headers = {"Content-Type": "application/json", parameter.name: scheme + ", ".join(map(str, values))}
    return sweep.call(parameter.method, sweep.target(parameter.route), body, **headers)


SENDERS: dict[str, Callable[[Sweep, Parameter, list[object]], Response]] = {
    "path": _in_path,
    "query": _in_query,
    "form": _in_form,
    "json": _in_json,
    "header": _in_header,
}


def _good_json(sweep: Sweep, parameter: Parameter) -> bytes:
    """Return a valid body of a route, built from its examples."""
    route = route_of(of_latchkey()[parameter.route][parameter.method])
    view = route.resolve()
    body = (body_of(view) or description_of(view).body) if route.is_documented else None
    if parameter.route.startswith("/oauth/register"):
        return json.dumps({"client_id": sweep.ids["client_id"], "redirect_uris": [CALLBACK]}).encode()
    if parameter.route.startswith("/oauth"):
        return json.dumps({**sweep.app.credentials, "grant_type": REFRESH, "refresh_token": "x", "token": "x"}).encode()
    if body is None:
        return b""
    is_partial = not isinstance(body, Form) and body.least
    shown: dict[str, Kind] = {**body.required_fields, **(body.optional_fields if is_partial else {})}
    fields = {name: example_of(kind.schema(), {}) for name, kind in shown.items()}
    return json.dumps([fields] if isinstance(body, FormList) else fields).encode()


def _form(sweep: Sweep, fields: dict[str, str]) -> bytes:
    return urlencode({**fields, **sweep.tokens}).encode()


@pytest.fixture
def sweep(latchkey: TestApp) -> Iterator[Sweep]:
    """One object of each type, in an app that admits every request and caches reads until the next write."""
    with dynamodb.use_sender(Remembering()):
        there = create_place(latchkey)
        app = register_client(latchkey, owner=there.admin)
        secret = latchkey.key(there.admin, "read", "write", "keys", "webhooks", "events", "admin", "verify").secret
        made = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK]}).json()
        ids = {
            "account_id": new_account(name="Bob").id,
            "user_id": new_account(name="Eve").user_id,
            "client_id": made["client_id"],
        }
        swept = Sweep(latchkey, there, secret, app, ids, made["registration_access_token"])
        swept.log_in()
        yield swept


def check(sweep: Sweep, parameter: Parameter, kind: str, values: list[object]) -> list[str]:
    """Return a list with the error in a response, empty if the response is correct."""
    if is_refused_by_declaration(parameter, values):
        return []
    response = sweep.send(parameter, values)
    is_page = "text/html" in str(response.header("Content-Type")) or response.status in (303, 204)
    is_good = response.status < 500 and (is_page or response.status < 400 or "error" in response.json())
    return [] if is_good else [f"{parameter}: {kind}: {response.status} {response.body[:200]!r}"]


def is_refused_by_declaration(parameter: Parameter, values: list[object]) -> bool:
    """Return whether the route's declaration already rejects the value."""
    route = route_of(of_latchkey()[parameter.route][parameter.method])
    if not route.is_documented:
        return False
    query, body = query_of(route.resolve(), route.scopes), body_of(route.resolve())
    try:
        if parameter.place == "query" and query is not None:
            query.read({parameter.name: str(values[-1])})
        if parameter.place == "json" and body is not None:
            body.fields()[parameter.name].check(parameter.name, values[-1])
    except InvalidRequest:
        return True
    return False


@pytest.mark.parametrize("at", ["path", "query", "form", "json", "header"])
def test_malformed_parameter_is_no_5xx(sweep: Sweep, at: str) -> None:
    """A malformed, repeated or mistyped parameter never gets a 5xx."""
    faults: list[str] = []
    for parameter in parameters_in(at):
        if parameter.route == "/login" and parameter.name != "email":
            continue  # Requests that test the email also test these fields (see `_in_form`), because hashing is slow.
        for kind, value in RUBBISH_HERE.items():
            faults += check(sweep, parameter, kind, [value])
        faults += check(sweep, parameter, "twice", ["x", "y"]) if at != "path" else []
        for other in WRONG_TYPES if at == "json" else ():
            faults += check(sweep, parameter, "type", [other])
        if parameter.route == "/settings/profile/password":
            sweep.log_in()
    assert faults == []
    # If a request had logged out, revoked or deleted the caller, the requests after it would have tested nothing.
    assert [sweep.call("GET", path).status for path in ("/settings/keys", "/v1/users/me")] == [200, 200]


@pytest.mark.parametrize("name", [cookies.SESSION, cookies.DEVICE, cookies.BROWSER, cookies.EMAIL, cookies.ACCOUNT])
def test_malformed_cookie_is_no_5xx(sweep: Sweep, name: str) -> None:
    """A malformed or repeated cookie never gets a 5xx, from public pages, private pages or forms."""
    cookie = sweep.there.console.cookie_name(name)
    for value in (*RUBBISH_HERE.values(), f"x; {cookie}=y"):
        for method, target in (("GET", "/login"), ("GET", "/settings"), ("POST", "/forgot")):
            headers = {"Cookie": f"{cookie}={value}", "Origin": sweep.there.console.origin, "Content-Type": FORM}
            response = sweep.latchkey.call(
                method, target, body=b"email=x" if method == "POST" else b"", headers=headers
            )
            assert response.status < 500, (target, value)


@pytest.mark.parametrize("kind", RUBBISH_HERE)
def test_malformed_csrf_token_or_notice_is_no_5xx(sweep: Sweep, kind: str) -> None:
    """A malformed CSRF token or `done` parameter never gets a 5xx."""
    query = urlencode({"done": RUBBISH_HERE[kind]}, errors="surrogatepass")
    assert sweep.call("GET", f"/settings/keys?{query}").status == 200
    body = urlencode({"csrf": RUBBISH_HERE[kind], "name": "x"}, errors="surrogatepass").encode()
    assert sweep.call("POST", "/settings/account/name", body, **{"Content-Type": FORM}).status in (400, 403)


@pytest.mark.parametrize("scheme", ["", "Bearer ", "Basic ", "bearer  "])
def test_malformed_credential_is_a_4xx(sweep: Sweep, scheme: str) -> None:
    """A malformed credential gets a 4xx from every type of route that reads credentials."""
    for kind, value in RUBBISH_HERE.items():
        for method, target in (("GET", "/v1/users/me"), ("POST", "/oauth/token"), ("GET", "/oauth/register/app_x")):
            response = sweep.latchkey.call(method, target, headers={"Authorization": scheme + value})
            assert 400 <= response.status < 500, (kind, target)
