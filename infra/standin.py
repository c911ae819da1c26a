"""The stand-in for API Gateway: routes, authorizes with a cache, calls the app as Lambda would, answers what the
gateway answers by itself. Behind `make run` and `chalice local`, and the tests speak to it without a socket.

Chalice's own differs from API Gateway where it matters to us: it has no authorizer cache, knows no Deny, drops
duplicate headers, and waits out Nagle's algorithm on every answer.
"""

import base64
import json
import re
import threading
import traceback
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalice.app import Chalice, ChaliceAuthorizer
from chalice.local import LocalARNBuilder, RouteMatcher

from chalicelib.api.authorizer import CACHED_S, IDENTITY
from chalicelib.core import clock, http_syntax
from infra import gateway

STAGE = "api"
BODY_MAX_BYTES = 10 * 1024 * 1024
TOO_LONG = "Request Too Long"
HEADERS_MAX_BYTES = 10_240
RENAMED = {"www-authenticate": "x-amzn-Remapped-WWW-Authenticate"}
"""What API Gateway renames on answers that come from Lambda."""

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Answer:
    """What goes back over the wire."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name, in any letter case."""
        return next((value for header, value in self.headers if header.lower() == name.lower()), None)

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


@dataclass(slots=True)
class Context:
    """What Lambda passes beside the event."""

    function_name: str
    aws_request_id: str
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:latchkey"
    function_version: str = "$LATEST"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left; a local run has plenty."""
        return 30_000


class _Refused(Exception):
    """The gateway answers by itself."""

    def __init__(self, kind: str, status: int, message: str, context: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.kind, self.status, self.message, self.context = kind, status, message, context or {}


class _NothingHere(Exception):
    """The mock integration answers that there is nothing at a path."""


@dataclass(slots=True)
class _Verdict:
    policy: dict[str, Any]
    until_ms: int


@dataclass
class Gateway:
    """A gateway before one app. It holds the authorizer's cached words and nothing else."""

    app: Chalice
    domain: str = "127.0.0.1:8000"
    cached: dict[str, _Verdict] = field(default_factory=dict, repr=False)  # its keys are whole Authorization headers

    def __post_init__(self) -> None:
        """Sort the routes as API Gateway does: what is spelled out goes before what is in braces."""
        self.routes = RouteMatcher(list(self.app.routes))
        _give_each_thread_its_request(self.app)

    def handle(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        ip: str = "127.0.0.1",
    ) -> Answer:
        """Return the answer to one request. `target` is the path with its query, as it stands in the request line."""
        request_id, headers = str(uuid.uuid4()), list(headers)
        try:
            event = self._event(method, target, headers, body, ip, request_id)
            if method == "OPTIONS" and "OPTIONS" not in self.app.routes[event["resource"]]:
                return self._preflight(event["resource"])
            self._authorize(event)
            answer = _of_lambda(self.app(event, Context("latchkey-local", request_id)))
        except _NothingHere:
            status, fixed, text = gateway.rendered_nothing(headers, STAGE)
            answer = Answer(status, list(fixed.items()), text.encode())
        except _Refused as refusal:
            answer = _refusal(refusal)
        answer.headers.append(("x-amzn-RequestId", request_id))
        return _without_body(answer) if method == "HEAD" else answer

    def refused(self, status: int, message: str) -> Answer:
        """Return the answer to a request that can't be read whole, such as 413 to one that is too long."""
        answer = _refusal(_Refused("DEFAULT_4XX", status, message))
        answer.headers.append(("x-amzn-RequestId", str(uuid.uuid4())))
        return answer

    def _event(
        self, method: str, target: str, headers: Headers, body: bytes, ip: str, request_id: str
    ) -> dict[str, Any]:
        if len(body) > BODY_MAX_BYTES:
            raise _Refused("DEFAULT_4XX", 413, TOO_LONG)
        if sum(len(name) + len(value) for name, value in headers) > HEADERS_MAX_BYTES:
            raise _Refused("DEFAULT_4XX", 431, "Request Header Fields Too Large")
        url = urlsplit(f"//gateway{target}" if target.startswith("/") else target)
        path = url.path or "/"
        try:
            match = self.routes.match_route(path)
        except ValueError:
            match = None
        authorized = any(name.lower() == "authorization" for name, _ in headers)
        if match is None or (method != "OPTIONS" and method not in self.app.routes[match.route]):
            if match is None or gateway.answers_people(match.route, self.app.routes[match.route]):
                raise _NothingHere
            kind = "INVALID_SIGNATURE" if authorized else "MISSING_AUTHENTICATION_TOKEN"
            raise _Refused(kind, 403, "Missing Authentication Token")
        query = parse_qsl(url.query, keep_blank_values=True)
        text, encoded = self._body(headers, body)
        return {
            "resource": match.route,
            "path": path,
            "httpMethod": method,
            "headers": dict(headers),
            "multiValueHeaders": _grouped(headers),
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": _grouped(query) or None,
            "pathParameters": match.captured or None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": match.route,
                "httpMethod": method,
                "path": path,
                "stage": STAGE,
                "domainName": self.domain,
                "requestId": request_id,
                "requestTimeEpoch": clock.now_ms(),
                "identity": {"sourceIp": ip},
                "protocol": "HTTP/1.1",
            },
            "body": text,
            "isBase64Encoded": encoded,
        }

    def _body(self, headers: Headers, body: bytes) -> tuple[str | None, bool]:
        if not body:
            return None, False
        kind = {name.lower(): value for name, value in headers}.get("content-type", "")
        if http_syntax.media_type(kind) in self.app.api.binary_types:
            return base64.b64encode(body).decode(), True
        return body.decode("utf-8", "replace"), False

    def _authorize(self, event: dict[str, Any]) -> None:
        entry = self.app.routes[event["resource"]][event["httpMethod"]]
        if not isinstance(entry.authorizer, ChaliceAuthorizer):
            return
        token = next((value for name, value in event["headers"].items() if name.lower() == "authorization"), "")
        if re.match(IDENTITY, token, re.DOTALL | re.ASCII) is None:
            raise _Refused("UNAUTHORIZED", 401, "Unauthorized")
        policy = self._policy(entry.authorizer, token, event)
        context = {name: _as_string(value) for name, value in policy.get("context", {}).items()}
        effects = {statement["Effect"] for statement in policy["policyDocument"]["Statement"]}
        if effects != {"Allow"}:
            raise _Refused("ACCESS_DENIED", 403, "User is not authorized to access this resource", context)
        event["requestContext"]["authorizer"] = {**context, "principalId": policy["principalId"]}

    def _policy(self, authorizer: ChaliceAuthorizer, token: str, event: dict[str, Any]) -> dict[str, Any]:
        now_ms = clock.now_ms()
        principal = self.cached.get(token)
        if principal is None or not principal.until_ms - CACHED_S * 1000 <= now_ms < principal.until_ms:
            arn = LocalARNBuilder().build_arn(event["httpMethod"], event["path"])
            call = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
            try:
                context: Any = Context("latchkey-local-authorizer", str(uuid.uuid4()))
                policy = authorizer(call, context)
            except Exception as error:
                # API Gateway answers 500 for an authorizer that fails, whatever it raised; Lambda would log it.
                traceback.print_exc()
                raise _Refused("DEFAULT_5XX", 500, type(error).__name__) from error
            principal = self.cached[token] = _Verdict(policy, now_ms + CACHED_S * 1000)
        return principal.policy

    def _preflight(self, resource: str) -> Answer:
        entries = self.app.routes[resource]
        cors = [entry.cors for entry in entries.values() if entry.cors is not None]
        if not cors:
            raise _Refused("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token")
        methods = ",".join((*entries, "OPTIONS"))
        headers = {"Access-Control-Allow-Methods": methods, **cors[0].get_access_control_headers()}
        return Answer(200, [("Content-Type", "application/json"), *headers.items()], b"")


def _without_body(answer: Answer) -> Answer:
    """Return what goes over the wire in answer to HEAD; the length that the function says stands."""
    if answer.status not in (204, 304) and answer.header("Content-Length") is None:
        answer.headers.append(("Content-Length", str(len(answer.body))))
    answer.body = b""
    return answer


def _refusal(refusal: _Refused) -> Answer:
    status, fixed, text = gateway.rendered(
        refusal.kind, status=refusal.status, context=refusal.context, own_message=refusal.message
    )
    return Answer(status, list(fixed.items()), text.encode())


def _of_lambda(response: dict[str, Any]) -> Answer:
    headers: Headers = [(name, str(value)) for name, value in (response["headers"] or {}).items()]
    for name, values in (response.get("multiValueHeaders") or {}).items():
        headers.extend((name, value) for value in values)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    body = response["body"] or ""
    raw = base64.b64decode(body) if response.get("isBase64Encoded") else _as_bytes(body)
    return Answer(response["statusCode"], [(RENAMED.get(name.lower(), name), value) for name, value in headers], raw)


def _as_bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


def _as_string(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _give_each_thread_its_request(app: Chalice) -> None:
    """Lambda runs one request a process, so Chalice keeps it on the app; here threads share the app."""
    if not isinstance(app, _ThreadSafe):
        app.__class__ = type("ThreadSafeChalice", (_ThreadSafe, app.__class__), {})


class _ThreadSafe:
    _of_thread = threading.local()

    @property
    def current_request(self) -> Any:
        return getattr(self._of_thread, "request", None)

    @current_request.setter
    def current_request(self, request: Any) -> None:
        self._of_thread.request = request
