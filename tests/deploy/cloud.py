"""moto's server as an AWS account: what it lacks of what `infra.deploy` asks for is supplied here, and nowhere else.

- It reads OpenAPI 3 only: Chalice's Swagger 2 document is kept for the tests to look at, and converted on its way in.
- It imports no authorizers and no gateway responses: the tests read those in the document.
- It updates a stack that needs no update; CloudFormation says so and refuses.
- It has no termination protection; CloudFormation doesn't delete a protected stack.
- It lets a stage log without a role to write logs with.
- It subscribes a function to one stream as often as it is asked to; Lambda refuses.
- Its CloudFormation creates no alarms, and `describe-stack-resources` fails on a stack with them.
"""

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import boto3
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ACCOUNT = "123456789012"
REGION = "us-east-1"
SUBSCRIBE = "POST /2015-03-31/event-source-mappings"
Form = dict[str, str]
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclass
class Cloud:
    """One account, and what was asked of it."""

    url: str = ""
    documents: list[dict[str, Any]] = field(default_factory=list)
    asked_for: dict[str, Form] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)
    has_log_role: bool = True
    """Whether API Gateway may write logs: not before somebody gave the account a role for it."""
    loses_answer_to: str = ""
    """Method and beginning of the path of a call that is carried out, and whose answer is lost, once."""

    def __post_init__(self) -> None:
        """Put moto behind us."""
        self.moto = DomainDispatcherApplication(create_backend_app)

    @property
    def environment(self) -> dict[str, str]:
        """Return what sends a command here."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION}

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        return boto3.client(service, endpoint_url=self.url, region_name=REGION)

    def tables(self) -> list[str]:
        """Return the names of its tables."""
        names: list[str] = self.client("dynamodb").list_tables()["TableNames"]
        return names

    def functions(self) -> dict[str, dict[str, Any]]:
        """Return its Lambda functions by name."""
        return {made["FunctionName"]: made for made in self.client("lambda").list_functions()["Functions"]}

    def stacks(self) -> dict[str, str]:
        """Return the status of its stacks by name."""
        stacks = self.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in stacks}

    def apis(self) -> list[str]:
        """Return the ids of its REST APIs."""
        return [api["id"] for api in self.client("apigateway").get_rest_apis()["items"]]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as a WSGI application."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"].startswith("/restapis") and "mode=" in environ["QUERY_STRING"]:
            self.documents.append(json.loads(body))
            body = json.dumps(_openapi_3(json.loads(body))).encode()
        elif not self.has_log_role and environ["REQUEST_METHOD"] == "PATCH" and b"/accessLogSettings" in body:
            message = "CloudWatch Logs role ARN must be set in account settings to enable logging"
            start_response("400 Bad Request", [("x-amzn-ErrorType", "BadRequestException")])
            return [json.dumps({"message": message}).encode()]
        elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            status, answer = self._stack_answer(dict(parse_qsl(body.decode(), keep_blank_values=True)))
            if status:
                start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(answer)))])
                return [answer]
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        called = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if called == SUBSCRIBE and self._is_subscribed(json.loads(body)):
            start_response("409 Conflict", [("x-amzn-ErrorType", "ResourceConflictException")])
            return [b'{"Message": "The event source arn and function name provided mapping already exists."}']
        if self.loses_answer_to and called.startswith(self.loses_answer_to):
            self.loses_answer_to = ""
            list(self.moto(environ, lambda *_: None))
            start_response("403 Forbidden", [("x-amzn-ErrorType", "AccessDeniedException")])
            return [b'{"message": "The answer was lost."}']
        passed: Iterable[bytes] = self.moto(environ, start_response)
        return passed

    def _is_subscribed(self, asked: dict[str, Any]) -> bool:
        mappings = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        wanted = asked["EventSourceArn"], asked["FunctionName"].rpartition(":")[2]
        return wanted in [(each["EventSourceArn"], each["FunctionArn"].rpartition(":")[2]) for each in mappings]

    def _stack_answer(self, asked: Form) -> tuple[str, bytes]:
        """Answer what moto would not, or not as CloudFormation does; an empty status leaves it to moto."""
        name = asked.get("StackName", "")
        match asked.get("Action"):
            case "CreateStack":
                if asked.get("EnableTerminationProtection") == "true":
                    self.protected.add(name)
                self.asked_for[name] = asked
            case "UpdateStack":
                if _says_nothing_new(asked, self.asked_for[name]):
                    return _refusal("No updates are to be performed.")
                self.asked_for[name] = asked
            case "UpdateTerminationProtection":
                self.protected.discard(name)
                return "200 OK", _xml("UpdateTerminationProtectionResponse", "UpdateTerminationProtectionResult")
            case "DeleteStack" if name in self.protected:
                return _refusal(f"Stack [{name}] cannot be deleted while TerminationProtection is enabled")
        return "", b""


@contextmanager
def serving() -> Iterator[Cloud]:
    """Serve an account with nothing in it, for the length of a `with` block."""
    cloud = Cloud()
    server = make_server("127.0.0.1", 0, cloud, threaded=True)
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        # moto holds one state a process.
        requests.post(f"{cloud.url}/moto-api/reset", timeout=30).raise_for_status()
        yield cloud
        requests.post(f"{cloud.url}/moto-api/reset", timeout=30).raise_for_status()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _openapi_3(document: dict[str, Any]) -> dict[str, Any]:
    """Return a Swagger 2 document as far as moto reads one; a mock needs the address that moto asks every kind for."""
    del document["swagger"]
    document["openapi"] = "3.0.1"
    document["info"].setdefault("description", "")
    for operations in document["paths"].values():
        for operation in operations.values():
            integration = operation["x-amazon-apigateway-integration"]
            if integration["type"] == "mock":
                integration |= {"uri": "mock", "httpMethod": "POST"}
    return document


def _says_nothing_new(asked: Form, before: Form) -> bool:
    """Tell whether template and parameters are those of before; what is left as it was counts as unchanged."""
    values = _parameters(before) | _parameters(asked)
    return asked["TemplateBody"] == before["TemplateBody"] and values == _parameters(before)


def _parameters(asked: Form) -> dict[str, str]:
    start, key = "Parameters.member.", ".ParameterKey"
    numbers = [name.removesuffix(key) for name in asked if name.startswith(start) and name.endswith(key)]
    given = {asked[number + key]: asked.get(f"{number}.ParameterValue") for number in numbers}
    return {name: value for name, value in given.items() if value is not None}


def _refusal(message: str) -> tuple[str, bytes]:
    error = f"<Error><Type>Sender</Type><Code>ValidationError</Code><Message>{message}</Message></Error>"
    return "400 Bad Request", f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()


def _xml(response: str, result: str) -> bytes:
    return f"<{response}><{result}></{result}></{response}>".encode()
