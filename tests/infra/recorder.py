"""Every AWS call that is made behind the gateway, by the Lambda function that makes it, as IAM would judge it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.client import BaseClient

from app import app
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.process_cache import CACHES
from infra.standin import Answer, Gateway

API, AUTHORIZER = "api", "authorizer"
STREAM, MINUTE, HOUR = "stream", "minute", "hour"
FUNCTIONS = (API, AUTHORIZER, STREAM, MINUTE, HOUR)
Need = tuple[str, str]
"""An action, and the end of the ARN of what it is done to: (dynamodb:Query, table/latchkey-test-events)."""

_OF_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


@dataclass
class Recorder:
    """What each function needed, which routes answered, and the letters that left."""

    needs: dict[str, set[Need]] = field(default_factory=lambda: {function: set() for function in FUNCTIONS})
    answered: set[tuple[str, str]] = field(default_factory=set)
    """(method, route) of what a function answered without an error."""
    letters: list[str] = field(default_factory=list)
    function: str | None = None
    """Which function runs; None while the test itself arranges something."""

    @contextmanager
    def within(self, function: str) -> Iterator[None]:
        """Take the calls of a `with` block for those of a function, which has read nothing for another one before."""
        before, self.function = self.function, function
        if before != function:
            CACHES["core.root_key"].clear()
        try:
            yield
        finally:
            self.function = before

    def note(self, service: str, operation: str, request: dict[str, Any]) -> None:
        """Note one call."""
        if self.function is not None:
            needed = {(f"{service}:{action}", resource) for action, resource in _judged(operation, request)}
            self.needs[self.function] |= needed


class RecordedGateway(Gateway):
    """A gateway that says whose calls are whose."""

    recorder: Recorder

    def handle(self, method: str, target: str, *rest: Any, **named: Any) -> Answer:
        """Answer one request, and note which route did if it went well."""
        with self.recorder.within(API):
            answer = super().handle(method, target, *rest, **named)
        if answer.status < 400:
            route = self.routes.match_route(target.partition("?")[0]).route
            self.recorder.answered.add((method, route))
        return answer

    def _policy(self, *arguments: Any) -> dict[str, Any]:
        with self.recorder.within(AUTHORIZER):
            return super()._policy(*arguments)


@contextmanager
def recorded() -> Iterator[tuple[Recorder, RecordedGateway]]:
    """Record every call of the wire and of every AWS client in a `with` block; mail is taken in by the recorder."""
    recorder = Recorder()
    gateway = RecordedGateway(app, domain="api.example.com")
    gateway.recorder = recorder
    by_wire = dynamodb.sender()
    send: Callable[..., dict[str, Any]] = BaseClient._make_api_call

    def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        recorder.note("dynamodb", operation, request)
        return by_wire(operation, request)

    def make_api_call(client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        recorder.note(client.meta.service_model.signing_name, operation, request)
        if operation == "SendEmail":
            recorder.letters.append(request["Content"]["Simple"]["Body"]["Text"]["Data"])
            return {}
        return send(client, operation, request)

    with pytest.MonkeyPatch.context() as patch, dynamodb.sent_by(call):
        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        yield recorder, gateway


def _judged(operation: str, request: dict[str, Any]) -> Iterator[Need]:
    """Return what IAM asks of a call: of a transaction each write, of a batch each table, of an index the index."""
    if operation in ("TransactWriteItems", "TransactGetItems"):
        for item in request["TransactItems"]:
            for kind, write in item.items():
                yield _OF_TRANSACTION[kind], f"table/{write['TableName']}"
    elif operation == "BatchGetItem":
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
