"""Write the functions' IAM policies from their recorded calls: `python -m tests.infra.policies`.

Review the difference before committing it: an attacker with a function's role has these permissions.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.accounts import email_sender
from chalicelib.core import telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.process_cache import CACHES
from infra import stage_key as infra_stage_key
from infra import template
from tests.conftest import create_empty_tables
from tests.infra.every_operation.run import EveryOperation
from tests.infra.recorder import FUNCTIONS, Need, Recorder, record_calls
from tests.support import moto_server
from tests.support.harness import run_app

OF_LAMBDA = {
    "logs:CreateLogStream": "the runtime writes the log, in the function's own group; it names the streams",
    "logs:PutLogEvents": "as above",
    "xray:PutTraceSegments": "the daemon beside the function sends what is traced; X-Ray has no resources to name",
    "xray:PutTelemetryRecords": "as above",
}
"""The reason for each granted action that the code itself doesn't call, and for each grant on all resources."""
OF_STREAMS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")
"""Actions with which Lambda reads the stream, using the function's role."""
ORDER = (
    "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem",
    "Query", "Scan",
)  # fmt: skip
TITLES = {"identity/*": "Mail"}
OWN = "Own"
"""The beginning of the Sid of a statement that an operator has added for their own data (docs/own-routes.md)."""
SENDER = "keys@mail.example.com"


@contextmanager
def run_every_operation(moto_url: str) -> Iterator[Recorder]:
    """Run every operation and yield the recorder with the permissions."""
    email_sender._ses.cache_clear()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", moto_url)
        environment.setattr(dynamodb, "READ_TIMEOUT_S", moto_server.RESPONSE_TIMEOUT_S)
        dynamodb.reset_connections()
        with (
            record_calls() as (recorder, gateway),
            run_app(mail_from="latchkey@example.com", stage_key_file="") as home,
        ):
            telemetry.write_to(io.StringIO())
            infra_stage_key.create(boto3.client("ssm"), "test")
            CACHES["core.root_key"].clear()
            create_empty_tables()
            home.gateway = gateway
            EveryOperation(home, recorder).run_all()
            yield recorder
    email_sender._ses.cache_clear()
    CACHES["core.root_key"].clear()
    dynamodb.reset_connections()


def policy(function: str) -> list[dict[str, Any]]:
    """Return the stored statements of a function's policy."""
    kept: list[dict[str, Any]] = json.loads((template.POLICIES / f"{function}.json").read_text())
    return kept


def is_own(statement: dict[str, Any]) -> bool:
    """Return whether an operator has added a statement for their own data."""
    return str(statement["Sid"]).startswith(OWN)


def is_needed_by_lambda(action: str) -> bool:
    """Return whether Lambda itself needs an action."""
    return action in OF_LAMBDA or action in OF_STREAMS


def as_list(value: str | list[str]) -> list[str]:
    """Return a list unchanged, and a string as a list with one member."""
    return [value] if isinstance(value, str) else value


def build_statements(needs: set[Need]) -> list[dict[str, Any]]:
    """Return a policy statement for each resource, tables first."""
    in_order = sorted(needs, key=lambda need: (not need[1].startswith("table/"), need[1]))
    by_resource = groupby(in_order, key=itemgetter(1))
    return [_statement(resource, [action for action, _ in needed]) for resource, needed in by_resource]


def updated(statements: list[dict[str, Any]], needs: set[Need]) -> list[dict[str, Any]]:
    """Return a policy with the recorded permissions, which keeps the statements of Lambda itself and the operator's."""
    of_lambda = [each for each in statements if all(map(is_needed_by_lambda, as_list(each["Action"])))]
    return [*of_lambda, *build_statements(needs), *filter(is_own, statements)]


def _statement(resource: str, actions: list[str]) -> dict[str, Any]:
    service = actions[0].partition(":")[0]
    end = replace_stage(resource)
    title = TITLES.get(resource) or "".join(part.title() for part in re.split("[/_-]", _own_name(resource)))
    arn = f"arn:*:{service}:${{AWS::Region}}:*:{end}"
    in_order = sorted(actions, key=lambda action: ORDER.index(action.split(":")[1]) if service == "dynamodb" else 0)
    return {"Sid": title, "Effect": "Allow", "Action": in_order, "Resource": [arn] if service == "dynamodb" else arn}


def replace_stage(resource: str) -> str:
    """Return the given end of an ARN with a placeholder in place of the stage."""
    return resource.replace("latchkey-test-", "latchkey-${Stage}-").replace("/test/", "/${Stage}/")


def _own_name(resource: str) -> str:
    """Return the name of a table, an index or the root key, such as `windows`, `grants/by_client` or `stage/key`."""
    own = resource.removeprefix("table/latchkey-test-").replace("/index", "")
    return own.replace("parameter/latchkey/test", "stage")


def write() -> None:
    """Write all policies."""
    with mock_aws(), moto_server.serve_moto() as url, run_every_operation(url) as recorder:
        for function in FUNCTIONS:
            whole = updated(policy(function), recorder.needs[function])
            (template.POLICIES / f"{function}.json").write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    write()
