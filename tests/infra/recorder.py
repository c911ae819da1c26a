"""A recorder of the AWS calls of each Lambda function, as IAM permissions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.client import BaseClient

from app import app
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.process_cache import CACHES
from infra.local_gateway.gateway import Gateway
from infra.local_gateway.response import Response

API, AUTHORIZER = "api", "authorizer"
STREAM, JOB, MINUTE, HOUR = "stream", "job", "minute", "hour"
FUNCTIONS = (API, AUTHORIZER, STREAM, JOB, MINUTE, HOUR)
Need = tuple[str, str]
"""An action and the end of the ARN of its resource, like (dynamodb:Query, table/latchkey-test-events)."""

_OF_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


@dataclass
class Recorder:
    """The permissions that each function needed, the routes with successful responses, and the emails sent."""

    needs: dict[str, set[Need]] = field(default_factory=lambda: {function: set() for function in FUNCTIONS})
    answered: set[tuple[str, str]] = field(default_factory=set)
    """Method and route of each successful request."""
    emails: list[str] = field(default_factory=list)
    function: str | None = None
    """The running function, or None during calls of the test itself."""

    @contextmanager
    def within(self, function: str) -> Iterator[None]:
        """Attribute the calls of a `with` block to a function, which starts without a cached root key."""
        before, self.function = self.function, function
        if before != function:
            CACHES["core.root_key"].clear()
        try:
            yield
        finally:
            self.function = before

    def note(self, service: str, operation: str, request: dict[str, Any]) -> None:
        """Record the permissions that a call needs."""
        if self.function is not None:
            needed = {(f"{service}:{action}", resource) for action, resource in _judged(operation, request)}
            self.needs[self.function] |= needed


class RecordedGateway(Gateway):
    """A gateway that attributes calls to functions."""

    recorder: Recorder

    def handle(self, method: str, target: str, *rest: Any, **named: Any) -> Response:
        """Handle a request, and record its route if it succeeded."""
        with self.recorder.within(API):
            response = super().handle(method, target, *rest, **named)
        if response.status < 400:
            route = self.routes.match_route(target.partition("?")[0]).route
            self.recorder.answered.add((method, route))
        return response

    def _policy(self, *arguments: Any) -> dict[str, Any]:
        with self.recorder.within(AUTHORIZER):
            return super()._policy(*arguments)


@contextmanager
def record_calls() -> Iterator[tuple[Recorder, RecordedGateway]]:
    """Record every call of our DynamoDB client and of botocore in a `with` block; the recorder collects emails."""
    recorder = Recorder()
    gateway = RecordedGateway(app, domain="api.example.com")
    gateway.recorder = recorder
    send_directly = dynamodb.sender()
    send: Callable[..., dict[str, Any]] = BaseClient._make_api_call

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        recorder.note("dynamodb", operation, request)
        return send_directly(operation, request)

    def make_api_call(client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        recorder.note(client.meta.service_model.signing_name, operation, request)
        if operation == "SendEmail":
            recorder.emails.append(request["Content"]["Simple"]["Body"]["Text"]["Data"])
            return {}
        return send(client, operation, request)

    with pytest.MonkeyPatch.context() as patch, dynamodb.use_sender(call):
        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        yield recorder, gateway


def _judged(operation: str, request: dict[str, Any]) -> Iterator[Need]:
    """Yield the permissions for a call.

    A transaction needs one for each item, and a batch one for each table. Any other call needs one, for the index or
    another resource.
    """
    if operation in ("TransactWriteItems", "TransactGetItems"):
        for item in request["TransactItems"]:
            for kind, write in item.items():
                yield _OF_TRANSACTION[kind], f"table/{write['TableName']}"
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in request["RequestItems"]:
            yield operation, f"table/{table}"
    elif "IndexName" in request:
        yield operation, f"table/{request['TableName']}/index/{request['IndexName']}"
    elif "TableName" in request:
        yield operation, f"table/{request['TableName']}"
    elif operation == "GetParameter":
        yield operation, f"parameter{request['Name']}"
    elif "FunctionName" in request:
        yield operation, f"function:{request['FunctionName']}"
    else:
        yield operation, "identity/*" if operation == "SendEmail" else "*"
