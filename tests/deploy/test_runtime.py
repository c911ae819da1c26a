"""The package for this machine's processor, run by Lambda's own runtime client (`awslambdaric`)."""

import json
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import app
from chalicelib.core import clock, process_cache
from chalicelib.core.dynamodb import client as dynamodb
from infra import data, engine, pinned, stage_key
from infra.deploy import package
from infra.local_gateway.gateway import Gateway
from tests.deploy import runtime
from tests.deploy.checkout import architecture_here
from tests.support.harness import TestApp, run_app

pytestmark = [
    pytest.mark.xdist_group("deploy"),
    pytest.mark.skipif(architecture_here() is None, reason="functions for Lambda run on Linux, x86-64 or arm64"),
]
MEMORY_MB = {"Authorizer": 256}
"""The memory (MB) of those functions of dev whose memory isn't 512 MB."""


@dataclass(frozen=True)
class Stage:
    """An unpacked package, the handlers of its functions, and a stage with an account."""

    task: Path
    handlers: dict[str, str]
    latchkey: TestApp
    environment: dict[str, str]
    line: runtime.Line

    def function(self, logical: str) -> Any:
        """Run a function, chosen by its logical id in the template."""
        name = f"latchkey-dev{package.FUNCTIONS[logical]}"
        return runtime.running(self.task, self.handlers[logical], name, self.environment)


@pytest.fixture(scope="module")
def stage(packaged_here: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The unpacked package and a local DynamoDB, connected through a proxy that can drop the connection."""
    pinned.python_programs("emulator")  # Install the programs before pytest captures the output of a test.
    task = tmp_path_factory.mktemp("task")
    zipfile.ZipFile(packaged_here / "deployment.zip").extractall(task)
    resources = yaml.safe_load((packaged_here / "sam.yaml").read_text())["Resources"]
    handlers = {logical: resources[logical]["Properties"]["Handler"] for logical in package.FUNCTIONS}
    with ExitStack() as opened:
        database = engine.start(None, say=False)
        opened.callback(database.stop)
        line = opened.enter_context(runtime.line_to(database.url))
        environment = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL_DYNAMODB": line.url,
            "LATCHKEY_STAGE": "dev",
            "LATCHKEY_STAGE_KEY_FILE": str(stage_key.local_file()),
        }
        patch = opened.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", database.url)
        dynamodb.reset_connections()
        with run_app(stage="dev") as latchkey, clock.use_wall_clock(lambda: time.time_ns() // 1_000_000):
            data.create_missing_tables()
            yield Stage(task, handlers, latchkey, environment, line)
        dynamodb.reset_connections()
        process_cache.forget()


def asked(target: str, principal: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the event that API Gateway sends for a GET request, with the authorizer's context."""
    event = Gateway(app)._event("GET", target, [("Host", "127.0.0.1:8000")], b"", "192.0.2.1", "request")
    if principal is not None:
        event["requestContext"]["authorizer"] = {**principal["context"], "principalId": principal["principalId"]}
    return event


def bearer(secret: str) -> dict[str, Any]:
    """Return the event that API Gateway sends to the authorizer."""
    arn = "arn:aws:execute-api:us-east-1:123456789012:abcdef/api/GET/v1/users/me"
    return {"type": "TOKEN", "authorizationToken": f"Bearer {secret}", "methodArn": arn}


def record(image: Any, name: str = "INSERT") -> dict[str, Any]:
    """Return one record of the events table's stream."""
    return {
        "eventID": "1",
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/latchkey-dev-events/stream/1",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_640_000_000,
            "Keys": {},
            "NewImage": image,
            "SequenceNumber": "1",
            "SizeBytes": 1,
            "StreamViewType": "NEW_IMAGE",
        },
    }


def scheduled() -> dict[str, Any]:
    """Return the event that an EventBridge schedule sends."""
    arn = "arn:aws:events:us-east-1:123456789012:rule/latchkey-dev-minute-event"
    told = {"version": "0", "id": "1", "account": "1", "time": "2026-01-01T00:00:00Z", "region": "us-east-1"}
    return {**told, "detail-type": "Scheduled Event", "source": "aws.events", "resources": [arn], "detail": {}}


def test_every_function_handles_its_event(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Every function handles its event within its memory; the duration of its first response is printed."""
    issued = stage.latchkey.key(stage.latchkey.account())
    with stage.function("Authorizer") as authorizer:
        principal = authorizer.invoke(bearer(issued.secret))
        assert principal["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        assert authorizer.invoke(bearer("nonsense"))["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    about = dynamodb.call("Scan", {"TableName": "latchkey-dev-events"})["Items"]
    events = {
        "APIHandler": asked("/v1/users/me", principal),
        "Authorizer": bearer(issued.secret),
        "Stream": {"Records": [*map(record, about), record({"no": {"S": "event of ours"}}), record({}, "REMOVE")]},
        "Job": {"Records": [record({"no": {"S": "job of ours"}}, "MODIFY"), record({}, "REMOVE")]},
        "Minute": scheduled(),
        "Hour": scheduled(),
    }
    assert about
    assert events.keys() == package.FUNCTIONS.keys()
    told = []
    for logical, event in events.items():
        began_s = time.perf_counter()
        with stage.function(logical) as function:
            answer = function.invoke(event)
            took_ms = (time.perf_counter() - began_s) * 1000
            told.append(f"{logical}: {function.peak_mb:.0f} MB, first answer after {took_ms:.0f} ms")
            assert function.peak_mb < MEMORY_MB.get(logical, 512), told
        if logical == "APIHandler":
            assert (answer["statusCode"], json.loads(answer["body"])["id"]) == (200, issued.key.user_id)
    with capsys.disabled():
        print("\n" + "\n".join(told))


def test_thawed_function_reconnects_and_counts_its_request(stage: Stage) -> None:
    """A function whose connections were dropped while it was frozen reconnects, and counts each request once."""
    issued = stage.latchkey.key(stage.latchkey.account())
    with stage.function("Authorizer") as authorizer:
        principal = authorizer.invoke(bearer(issued.secret))
    left = []
    with stage.function("APIHandler") as api:
        for _ in range(3):
            answer = api.invoke(asked("/v1/users/me", principal))
            assert answer["statusCode"] == 200
            headers = {name.lower(): value for name, value in answer["headers"].items()}
            left.append(int(headers["x-ratelimit-remaining"]))
            api.process.send_signal(signal.SIGSTOP)
            stage.line.cut()
            api.process.send_signal(signal.SIGCONT)
    assert left == [left[0], left[0] - 1, left[0] - 2]
