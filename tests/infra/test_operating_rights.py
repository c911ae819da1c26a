"""`make policy OPERATE=1` prints a policy that allows all commands on accounts, in one stage only."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from chalicelib.core.process_cache import CACHES
from infra import rights
from tests.infra.recorder import API, Need, record_calls
from tests.infra.test_manage import Command
from tests.infra.test_manage import command as command  # Imported as a fixture.
from tests.support.harness import TestApp

EMAIL = "--email=ada@example.com"
COMMANDS = (
    ("account", EMAIL, "--admin"),
    ("account", "--email=eve@example.com"),
    ("key", EMAIL),
    ("tier", EMAIL, "--tier=pro"),
    ("suspend", EMAIL),
    ("reinstate", EMAIL),
    ("admin", EMAIL, "--off"),
    ("admin", EMAIL),
    ("admins",),
    ("password-link", EMAIL),
    ("incident", "--title=Slow", "--text=We look into it.", "--components=api"),
    ("leak-secret",),
)
IN_SMOKE = (
    ("logs:FilterLogEvents", "logs", "log-group:/aws/lambda/latchkey-test:*"),
    ("logs:FilterLogEvents", "logs", "log-group:/latchkey/test/access:*"),
    ("sns:GetTopicAttributes", "sns", "latchkey-test-alarms"),
    ("sns:ListSubscriptionsByTopic", "sns", "latchkey-test-alarms"),
    ("lambda:GetFunctionConfiguration", "lambda", "function:latchkey-test"),
    ("lambda:GetPolicy", "lambda", "function:latchkey-test"),
    ("lambda:GetAccountSettings", "lambda", ""),
    ("cloudwatch:DescribeAlarms", "cloudwatch", ""),
    ("apigateway:GET", "apigateway", ""),
    ("dynamodb:ListTables", "dynamodb", ""),
    ("ses:GetAccount", "ses", ""),
    ("ses:GetEmailIdentity", "ses", "identity/example.com"),
    ("xray:BatchGetTraces", "xray", ""),
)
"""The AWS calls of `make smoke`: action, service and resource."""


@pytest.fixture
def needs(latchkey: TestApp, command: Command) -> set[Need]:
    """The permissions of every command on accounts."""
    assert latchkey
    with record_calls() as (recorder, _):
        for words in COMMANDS:
            CACHES["core.root_key"].clear()
            with recorder.within(API):
                command(*words)
    return recorder.needs[API]


def allows(policy: dict[str, Any], action: str, arn: str) -> bool:
    """Return whether a policy allows a call."""
    return any(
        action in statement["Action"] and any(fnmatchcase(arn, pattern) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


def arn_of(service: str, end: str) -> str:
    """Return the ARN of a resource in the tests' account."""
    return f"arn:aws:{service}:eu-west-1:123456789012:{end}"


def test_every_command_on_accounts_is_allowed_in_its_stage_only(needs: set[Need]) -> None:
    """The policy has every permission that the commands on accounts need, and none for another stage."""
    asked = [(action, arn_of(action.partition(":")[0], end)) for action, end in needs]
    assert {action for action, _ in asked} >= {"dynamodb:PutItem", "dynamodb:Query", "dynamodb:GetItem"}
    assert [each for each in asked if not allows(rights.operate("test"), *each)] == []
    assert [each for each in asked if allows(rights.operate("prod"), *each)] == []


@pytest.mark.parametrize(("action", "service", "end"), IN_SMOKE)
def test_smoke_may_call_aws(action: str, service: str, end: str) -> None:
    """The policy allows each AWS call of `make smoke`, because a check without the permission would be skipped."""
    assert allows(rights.operate("test"), action, arn_of(service, end))


def test_operating_deploys_nothing() -> None:
    """The policy allows neither creating functions, roles or stacks, nor passing roles."""
    actions = {action for each in rights.operate("test")["Statement"] for action in each["Action"]}
    assert not any(action.startswith(("iam:", "cloudformation:")) for action in actions)
    assert {action for action in actions if action.startswith("lambda:")} == {
        *("lambda:GetAccountSettings", "lambda:GetFunctionConfiguration", "lambda:GetPolicy")
    }
    assert "dynamodb:DeleteTable" not in actions
