"""A local API Gateway in front of the app, for `make run`, `chalice local` and the tests.

It matches routes, caches the authorizer's policy, invokes the app with Lambda's proxy event, and sends the gateway
responses. Chalice's own local gateway has no authorizer cache, doesn't support Deny, drops duplicate headers, and waits
for Nagle's algorithm.
"""

import re
import traceback
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chalice.app import Chalice, ChaliceAuthorizer
from chalice.local import LocalARNBuilder, RouteMatcher

from chalicelib.api.authorizer import CACHED_S, IDENTITY
from chalicelib.core import clock
from infra import gateway
from infra.local_gateway import proxy_event
from infra.local_gateway.lambda_context import LambdaContext
from infra.local_gateway.request_of_thread import isolate_threads
from infra.local_gateway.response import GatewayError, Headers, Response, error_response, lambda_response, without_body

STAGE = "api"
REQUEST_ID = "x-amzn-RequestId"


class _RouteNotFoundError(Exception):
    """No route matches the request, so API Gateway's mock integration responds with 404."""


@dataclass(slots=True)
class _CachedPolicy:
    policy: dict[str, Any]
    until_ms: int


@dataclass
class Gateway:
    """A gateway in front of one app. Its only state is the cache of the authorizer's policies."""

    app: Chalice
    domain: str = "127.0.0.1:8000"
    cached: dict[str, _CachedPolicy] = field(default_factory=dict, repr=False)  # keyed by Authorization header

    def __post_init__(self) -> None:
        """Sort the routes as API Gateway does: literal paths before path parameters."""
        self.routes = RouteMatcher(list(self.app.routes))
        isolate_threads(self.app)

    def handle(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        ip: str = "127.0.0.1",
    ) -> Response:
        """Return the response to one request. `target` is the request target: path and query."""
        request_id, headers = str(uuid.uuid4()), list(headers)
        try:
            event = self._event(method, target, headers, body, ip, request_id)
            if method == "OPTIONS" and "OPTIONS" not in self.app.routes[event["resource"]]:
                return self._preflight(event["resource"])
            self._authorize(event)
            response = lambda_response(self.app(event, LambdaContext("latchkey-local", request_id)))
        except _RouteNotFoundError:
            status, fixed, text = gateway.render_not_found(headers, STAGE)
            response = Response(status, list(fixed.items()), text.encode())
        except GatewayError as error:
            response = error_response(error)
        response.headers.append((REQUEST_ID, request_id))
        return without_body(response) if method == "HEAD" else response

    def reject(self, status: int, message: str) -> Response:
        """Return the response to a request that can't be read completely, such as 413 if the request is too long."""
        response = error_response(GatewayError("DEFAULT_4XX", status, message))
        response.headers.append((REQUEST_ID, str(uuid.uuid4())))
        return response

    def _event(
        self, method: str, target: str, headers: Headers, body: bytes, ip: str, request_id: str
    ) -> dict[str, Any]:
        proxy_event.check_size(headers, body)
        path, query = proxy_event.split_target(target)
        try:
            match = self.routes.match_route(path)
        except ValueError:
            match = None
        if match is None or (method != "OPTIONS" and method not in self.app.routes[match.route]):
            if match is None or gateway.sends_page(match.route, self.app.routes[match.route]):
                raise _RouteNotFoundError
            authorized = any(name.lower() == "authorization" for name, _ in headers)
            kind = "INVALID_SIGNATURE" if authorized else "MISSING_AUTHENTICATION_TOKEN"
            raise GatewayError(kind, 403, "Missing Authentication Token")
        text, encoded = proxy_event.encode_body(headers, body, self.app.api.binary_types)
        return {
            "resource": match.route,
            "path": path,
            "httpMethod": method,
            "headers": dict(headers),
            "multiValueHeaders": proxy_event.group(headers),
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": proxy_event.group(query) or None,
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

    def _authorize(self, event: dict[str, Any]) -> None:
        entry = self.app.routes[event["resource"]][event["httpMethod"]]
        if not isinstance(entry.authorizer, ChaliceAuthorizer):
            return
        token = next((value for name, value in event["headers"].items() if name.lower() == "authorization"), "")
        if re.match(IDENTITY, token, re.DOTALL | re.ASCII) is None:
            raise GatewayError("UNAUTHORIZED", 401, "Unauthorized")
        policy = self._policy(entry.authorizer, token, event)
        context = {name: _as_string(value) for name, value in policy.get("context", {}).items()}
        effects = {statement["Effect"] for statement in policy["policyDocument"]["Statement"]}
        if effects != {"Allow"}:
            raise GatewayError("ACCESS_DENIED", 403, "User is not authorized to access this resource", context)
        event["requestContext"]["authorizer"] = {**context, "principalId": policy["principalId"]}

    def _policy(self, authorizer: ChaliceAuthorizer, token: str, event: dict[str, Any]) -> dict[str, Any]:
        now_ms = clock.now_ms()
        cached = self.cached.get(token)
        if cached is None or not cached.until_ms - CACHED_S * 1000 <= now_ms < cached.until_ms:
            arn = LocalARNBuilder().build_arn(event["httpMethod"], event["path"])
            call = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
            try:
                context: Any = LambdaContext("latchkey-local-authorizer", str(uuid.uuid4()))
                policy = authorizer(call, context)
            except Exception as error:
                # API Gateway responds 500 to any exception of an authorizer; Lambda would log it.
                traceback.print_exc()
                raise GatewayError("DEFAULT_5XX", 500, type(error).__name__) from error
            cached = self.cached[token] = _CachedPolicy(policy, now_ms + CACHED_S * 1000)
        return cached.policy

    def _preflight(self, resource: str) -> Response:
        entries = self.app.routes[resource]
        cors = [entry.cors for entry in entries.values() if entry.cors is not None]
        if not cors:
            raise GatewayError("MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token")
        methods = ",".join((*entries, "OPTIONS"))
        headers = {"Access-Control-Allow-Methods": methods, **cors[0].get_access_control_headers()}
        return Response(200, [("Content-Type", "application/json"), *headers.items()], b"")


def _as_string(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
