"""moto's server as an AWS account, with the features that `infra.deploy` needs and moto lacks.

- CloudFormation is our own (`stacks.py`), and so are parts of domains (`domains.py`) and of AWS WAF (`firewall.py`).
- moto reads OpenAPI 3 only: Chalice's Swagger 2 document is kept for the tests and converted for moto.
- moto imports no authorizers and no gateway responses: the tests read those in the document.
- moto accepts access logs for a stage even if the account has no log role.
- moto subscribes a function to a stream any number of times; Lambda rejects a second subscription, even while it
  deletes the first one (`lingers`).
- moto keeps the execute-api endpoint disabled when a document that doesn't say so is imported; AWS may not.
- moto lists all resources of an API; API Gateway lists 25 by default, in no order.
- In moto, a recreated role can decrypt the same environments as the deleted role; in KMS it can't (`undecryptable`).
- moto's Lambda accepts a new role immediately; AWS Lambda accepts it some seconds later.

Any call that changes something can be made to fail, before or after it takes effect.
"""

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import boto3
import requests
from moto.dynamodb.models import dynamodb_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.deploy import domains, firewall, in_process
from tests.deploy.cloud_requests import (
    REGION,
    Environ,
    StartResponse,
    error_body,
    is_change,
    name_of_call,
    page_of_resources,
    rate_of,
    scope_of,
    to_openapi_3,
)
from tests.deploy.stack_template import form_of
from tests.deploy.stacks import CloudFormation
from tests.support import moto_cache

ACCOUNT = "123456789012"
SUBSCRIBE = "POST /2015-03-31/event-source-mappings"
IMPORT = "POST /restapis"


class Failure(NamedTuple):
    """A call that fails once, chosen by its number among the calls that change something, or by the start of
    its name.
    """

    at: int | str
    is_done: bool
    """Whether the call takes effect and only its response is lost."""


@dataclass
class Cloud:
    """An AWS account and the calls that it received."""

    url: str
    behind: str
    """The URL of moto itself, whose calls aren't changed or recorded."""
    moto: Any
    documents: list[dict[str, Any]] = field(default_factory=list)
    formations: dict[str, CloudFormation] = field(default_factory=dict)
    """The emulated CloudFormation of each region."""
    dashboards: set[str] = field(default_factory=set)
    """The names of dashboards, which are unique in the account."""
    has_log_role: bool = True
    """Whether the account has a role with which API Gateway writes logs."""
    rate_max: int = 10_000
    """API Gateway's limit for the account in requests a second, which is 2,500 in some regions."""
    refuses: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """The errors (code, message) of the next calls to each operation, by the start of the operation's name."""
    closed: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The error (code, message) of every call in each region that denies access."""
    deleting: dict[str, int] = field(default_factory=dict)
    """For each table that is being deleted, the number of further responses that describe it as DELETING."""
    changes: list[str] = field(default_factory=list)
    """The names of all calls that change something, including those that failed."""
    fails: Failure | None = None
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    lingers: int = 0
    """The number of list responses in which a deleted subscription still appears as `Deleting`."""
    grants: dict[str, tuple[str, str]] = field(default_factory=dict)
    """For each function, the ARN of its role, and the id that the role had when Lambda allowed the role to decrypt
    the function's environment.
    """
    leaving: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    """Subscriptions that are being deleted, each with the number of further list responses that contain it."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which commands call this account."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION}

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a client of an AWS service in this account."""
        if (service, region) not in self.clients:
            url = self.url if service in ("cloudformation", "apigatewayv2") else self.behind
            self.clients[service, region] = boto3.client(service, endpoint_url=url, region_name=region)
        return self.clients[service, region]

    def formation(self, region: str = REGION) -> CloudFormation:
        """Return the emulated CloudFormation of a region."""
        return self.formations.setdefault(
            region, CloudFormation(lambda service: self.client(service, region), region, ACCOUNT, self.dashboards)
        )

    def tables(self, region: str = REGION) -> list[str]:
        """Return the names of the account's tables."""
        names: list[str] = self.client("dynamodb", region).list_tables()["TableNames"]
        return names

    def functions(self, region: str = REGION) -> dict[str, dict[str, Any]]:
        """Return the account's Lambda functions by name."""
        return {made["FunctionName"]: made for made in self.client("lambda", region).list_functions()["Functions"]}

    def roles(self) -> list[str]:
        """Return the names of the account's roles, which have no region."""
        return [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]]

    def stacks(self, region: str = REGION) -> dict[str, str]:
        """Return the status of each stack by its name."""
        return {name: stack.status for name, stack in self.formation(region).stacks.items()}

    def apis(self, region: str = REGION) -> list[str]:
        """Return the ids of the account's REST APIs."""
        return [api["id"] for api in self.client("apigateway", region).get_rest_apis()["items"]]

    def undecryptable(self) -> list[str]:
        """Return the functions whose role can't decrypt their environment, because the role was deleted and created
        again.

        KMS identifies a role by its id and not by its name. Lambda gives a role access when a function is created or
        gets another role.
        """
        return [name for name, (role, granted) in self.grants.items() if self._role_id(role) != granted]

    def _role_id(self, arn: str) -> str:
        return str(self.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]["RoleId"])

    def _grant(self, called: str, body: bytes) -> None:
        if called.startswith(("POST /2015-03-31/functions", "PUT /2015-03-31/functions")):
            asked = json.loads(body)
            name = asked.get("FunctionName") or called.split("/")[3].rpartition(":")[2]
            if "Role" in asked and asked["Role"] != self.grants.get(name, ("", ""))[0]:
                self.grants[name] = (asked["Role"], self._role_id(asked["Role"]))

    def replace_stream(self, table: str) -> str:
        """Replace a table's stream, which moto's API doesn't allow, and return the ARN of the new stream."""
        there = dynamodb_backends[ACCOUNT][REGION].tables[table]
        there.set_stream_specification({"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        return f"{there.table_arn}/stream/{there.latest_stream_label}"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request, as a WSGI application."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        service, region = scope_of(environ)
        called = name_of_call(environ, body)
        if region in self.closed:
            return error_body(start_response, *self.closed[region], service, "403 Forbidden")
        failure = None
        if is_change(environ, called):
            self.changes.append(f"{service} {called}")
            failure = self._failure(called)
        if failure and not failure.is_done:
            return error_body(start_response, "AccessDeniedException", "Not now.", service)
        for start, errors in self.refuses.items():
            if called.startswith(start) and errors:
                return error_body(start_response, *errors.pop(0), service)
        answered: list[Any] = []
        answer = self._answer(environ, body, service, region, lambda *given: answered.append(given))
        if failure:
            list(answer)
            return error_body(start_response, "AccessDeniedException", "The answer was lost.", service)
        start_response(*answered[0])
        return answer

    def _failure(self, called: str) -> Failure | None:
        failure = self.fails
        if failure is None:
            return None
        if failure.at != len(self.changes) if isinstance(failure.at, int) else not called.startswith(failure.at):
            return None
        self.fails = None
        return failure

    def _answer(
        self, environ: Environ, body: bytes, service: str, region: str, start_response: StartResponse
    ) -> Iterable[bytes]:
        if service == "cloudformation":
            status, answer = self.formation(region).answer(form_of(body))
            start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(answer)))])
            return [answer]
        if service == "apigateway":
            known = domains.supplied(
                ACCOUNT, region, environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], body
            )
            if known is not None:
                start_response(known.status, [("x-amzn-ErrorType", known.error)])
                return [json.dumps(known.body).encode()]
        called = name_of_call(environ, body)
        if service == "wafv2":
            answered = json.dumps(firewall.answer(self.formation(region), called, json.loads(body))).encode()
            start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
            return [answered]
        if service == "dynamodb" and called == "DescribeTable" and json.loads(body)["TableName"] in self.deleting:
            return self._deleting(json.loads(body)["TableName"], region, start_response)
        self._grant(called, body)
        refusal = self._refusal(environ, body, called, region)
        if refusal is not None:
            status = "409 Conflict" if refusal[0] == "ResourceConflictException" else "400 Bad Request"
            return error_body(start_response, *refusal, service, status)
        if environ["PATH_INFO"].startswith("/restapis") and "mode=" in environ["QUERY_STRING"]:
            self.documents.append(json.loads(body))
            self._set_endpoint(environ, json.loads(body), region)
            body = json.dumps(to_openapi_3(json.loads(body))).encode()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        change = self._change(environ, called, region)
        return self._passed(environ, start_response, change) if change else self.moto(environ, start_response)

    def _set_endpoint(self, environ: Environ, document: dict[str, Any], region: str) -> None:
        """Disable the execute-api endpoint if an imported document says so; enable it otherwise, which moto doesn't."""
        if environ["REQUEST_METHOD"] == "PUT":
            endpoint = document.get("x-amazon-apigateway-endpoint-configuration", {})
            value = "true" if endpoint.get("disableExecuteApiEndpoint") else ""  # moto takes any text for true
            patch = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": value}]
            api = environ["PATH_INFO"].split("/")[2]
            self.client("apigateway", region).update_rest_api(restApiId=api, patchOperations=patch)

    def _refusal(self, environ: Environ, body: bytes, called: str, region: str) -> tuple[str, str] | None:
        """Return the error with which AWS rejects a call that moto would accept."""
        if called.startswith(SUBSCRIBE) and self._is_subscribed(json.loads(body), region):
            message = "The event source arn and function name provided mapping already exists."
            return "ResourceConflictException", message
        if self.deleting and b"TableName" in body and json.loads(body)["TableName"] in self.deleting:
            return "ResourceInUseException", f"Table is being deleted: {json.loads(body)['TableName']}"
        if environ["REQUEST_METHOD"] != "PATCH":
            return None
        if rate_of(body) > self.rate_max:
            return "BadRequestException", f"Invalid throttling rate limit: the account's limit is {self.rate_max}"
        if not self.has_log_role and b"/accessLogSettings" in body:
            return (
                "BadRequestException",
                "CloudWatch Logs role ARN must be set in account settings to enable logging",
            )
        return None

    def _change(self, environ: Environ, called: str, region: str) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
        """Return a function that makes moto's response like AWS's, or None if the response needs no change."""
        if called.startswith("DELETE /2015-03-31/event-source-mappings/") and self.lingers:
            return self._leave
        if called.startswith("GET /2015-03-31/event-source-mappings") and self.leaving:
            return self._list_with_leaving
        if re.fullmatch("GET /restapis/[^/]+/stages/[^/]+", called):
            return lambda stage: firewall.shown(self.formation(region), environ["PATH_INFO"], stage)
        if re.fullmatch("GET /restapis/[^/]+/resources", called):
            asked = dict(parse_qsl(environ["QUERY_STRING"]))
            return lambda listed: page_of_resources(listed, asked)
        return None

    def _passed(
        self, environ: Environ, start_response: StartResponse, change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> list[bytes]:
        """Pass a call to moto and change the response."""
        answered: list[Any] = []
        passed = b"".join(self.moto(environ, lambda *given: answered.append(given)))
        status, headers = answered[0][:2]
        if status.startswith("2"):
            passed = json.dumps(change(json.loads(passed))).encode()
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*kept, ("Content-Length", str(len(passed)))])
        return [passed]

    def _leave(self, deleted: dict[str, Any]) -> dict[str, Any]:
        self.leaving.append((deleted | {"State": "Deleting"}, self.lingers))
        return deleted

    def _list_with_leaving(self, listed: dict[str, Any]) -> dict[str, Any]:
        seen = [mapping for mapping, _ in self.leaving]
        self.leaving = [(mapping, more - 1) for mapping, more in self.leaving if more > 1]
        return listed | {"EventSourceMappings": [*listed["EventSourceMappings"], *seen]}

    def _deleting(self, name: str, region: str, start_response: StartResponse) -> list[bytes]:
        """Describe a table that is being deleted. After the number of calls in `deleting`, delete the table."""
        tables = self.client("dynamodb", region)
        described = {"TableName": name, "TableStatus": "DELETING"}
        self.deleting[name] -= 1
        if not self.deleting[name]:
            del self.deleting[name]
            tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            tables.delete_table(TableName=name)
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0")])
        return [json.dumps({"Table": described}).encode()]

    def _is_subscribed(self, asked: dict[str, Any], region: str) -> bool:
        mappings = self.client("lambda", region).list_event_source_mappings()["EventSourceMappings"]
        mappings += [mapping for mapping, _ in self.leaving]
        wanted = asked["EventSourceArn"], asked["FunctionName"].rpartition(":")[2]
        return wanted in [(each["EventSourceArn"], each["FunctionArn"].rpartition(":")[2]) for each in mappings]


class _Turns:
    """A WSGI application that passes requests to the current account."""

    cloud: Cloud

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self.cloud(environ, start_response)


@contextmanager
def serving() -> Iterator[Cloud]:
    """Serve an empty account during a `with` block. Blocks can't be nested, because moto has one state.

    All accounts of a process have the same URL, so that AWS clients can be reused.
    """
    moto, turns, behind, url = _served_once()
    cloud = turns.cloud = Cloud(url, behind, moto)
    requests.post(f"{behind}/moto-api/reset", timeout=30).raise_for_status()
    with in_process.called({behind: moto, url: turns}):
        yield cloud
    requests.post(f"{behind}/moto-api/reset", timeout=30).raise_for_status()


@cache
def _served_once() -> tuple[Any, _Turns, str, str]:
    """Start moto and the WSGI application in front of it, once per process; return both and their URLs."""
    moto_cache.install()
    moto, turns = DomainDispatcherApplication(create_backend_app), _Turns()
    return moto, turns, _serve(moto), _serve(turns)


def _serve(application: Any) -> str:
    server = make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
