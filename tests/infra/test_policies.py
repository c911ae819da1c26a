"""Least privilege: each function's policy grants exactly the permissions that the function uses."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import filterfalse
from typing import Any

import pytest
from moto import mock_aws

from infra import deployed, template
from infra.routes import of_latchkey
from tests.examples.blocks import blocks_of
from tests.infra.policies import (
    OF_LAMBDA,
    OF_STREAMS,
    SENDER,
    as_list,
    is_needed_by_lambda,
    is_own,
    policy,
    replace_stage,
    run_every_operation,
    updated,
)
from tests.infra.recorder import API, FUNCTIONS, JOB, STREAM, Need, Recorder

pytestmark = pytest.mark.xdist_group("policies")


@pytest.fixture(scope="module")
def recorder(moto_url: str) -> Iterator[Recorder]:
    """The recorder after the scenario of all operations."""
    with mock_aws(), run_every_operation(moto_url) as recorded:
        yield recorded


def list_granted(function: str) -> list[tuple[str, str]]:
    """Return each (action, ARN) that a policy allows, without the statements that an operator has added."""
    return [
        (action, arn)
        for statement in filterfalse(is_own, policy(function))
        for action in as_list(statement["Action"])
        for arn in as_list(statement["Resource"])
    ]


def role_of(function: str, mail_from: str = SENDER) -> dict[str, Any]:
    """Return the IAM role that the data stack creates for a function."""
    name = deployed.API if function == API else function
    role: dict[str, Any] = template.composed(mail_from)["Resources"][template.logical_role(name)]["Properties"]
    return role


def _end(arn: str) -> str:
    """Return the resource part of an ARN. The separator `::` also occurs in CloudFormation's pseudo parameters."""
    return arn.replace("${AWS::Region}", "*").split(":", 5)[-1]


def test_every_route_was_called(recorder: Recorder) -> None:
    """The scenario of all operations has called every route."""
    # HEAD has the same code as GET, so it isn't called.
    routes = {(method, route) for route, entries in of_latchkey().items() for method in entries if method != "HEAD"}
    assert routes - recorder.answered == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_policy_grants_exactly_the_used_permissions(recorder: Recorder, function: str) -> None:
    """The policy has exactly the used permissions, because an attacker with the role could use all of them."""
    needed = {(action, replace_stage(resource)) for action, resource in needs(recorder, function)}
    allowed = {(action, _end(arn)) for action, arn in list_granted(function) if not is_needed_by_lambda(action)}
    assert (needed - allowed, allowed - needed) == (set(), set())


def needs(recorder: Recorder, function: str) -> set[Need]:
    """Return the recorded permissions of a function."""
    assert recorder.needs[function]
    return recorder.needs[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_resource_is_named(function: str) -> None:
    """Every statement names its resource in this region and stage; only account and partition are wildcards."""
    for action, arn in list_granted(function):
        assert "*" not in action
        if is_needed_by_lambda(action) or action == "ses:SendEmail":
            continue
        start, partition, service, region, account, end = arn.replace("${AWS::Region}", "here").split(":", 5)
        assert (start, partition, region, account) == ("arn", "*", "here", "*"), arn
        assert service == action.partition(":")[0]
        assert "*" not in end, arn
        assert "${Stage}" in end, arn


def test_statement_of_an_operator_is_kept() -> None:
    """The writer of the policies keeps a statement as in the guide, and these tests ignore it."""
    (shown,) = (block.code for block in blocks_of("docs/own-routes.md") if '"Sid"' in block.code)
    own = json.loads(shown)
    assert is_own(own)
    assert updated([*policy(API), own], {("ssm:GetParameter", "parameter/latchkey/test/key")})[-1] == own


SENDER_IDENTITIES = ("keys@mail.example.com", "mail.example.com", "example.com")
"""The identities of the sender that may be verified in SES."""


@pytest.mark.parametrize("recipient", ["ada@example.org", "example.org"])
@pytest.mark.parametrize("sender", SENDER_IDENTITIES)
@pytest.mark.parametrize("mail_from", [SENDER, f"Acme <{SENDER}>"])
def test_mail_from_the_sender_is_allowed_to_a_verified_recipient(mail_from: str, sender: str, recipient: str) -> None:
    """The policy allows an email from the sender, since it has each permission that SES checks.

    SES checks the sender's identity, the recipient's identity (in the sandbox) and the configuration set.
    """
    used = [f"identity/{sender}", f"identity/{recipient}", "configuration-set/default"]
    assert is_mail_allowed(role_of(API, mail_from), SENDER, used)


def test_mail_from_another_sender_is_denied() -> None:
    """The role can't send email from another sender of the AWS account."""
    assert not is_mail_allowed(role_of(API), "other@mail.example.com", ["identity/mail.example.com"])
    assert not is_mail_allowed(role_of(API, mail_from=""), SENDER, ["identity/mail.example.com"])


def is_mail_allowed(role: dict[str, Any], sender: str, used: list[str]) -> bool:
    """Return whether the policy allows an email: SES requires a permission for each identity and configuration set."""
    mails = [each for each in _statements(role) if each["Sid"] == "Mail"]
    start = "arn:*:ses:${AWS::Region}:*:"

    def allows(statement: dict[str, Any], end: str) -> bool:
        asked = statement.get("Condition", {}).get("StringEqualsIgnoreCase", {"ses:FromAddress": sender})
        patterns = [arn["Fn::Sub"].removeprefix(start) for arn in statement["Resource"]]
        return asked == {"ses:FromAddress": sender} and any(fnmatchcase(end, pattern) for pattern in patterns)

    return all(any(allows(each, end) for each in mails) for end in used)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_has_the_policy_that_is_tested_and_the_region_in_its_name(function: str) -> None:
    """A function's role has only the tested policy, and its name contains the region, because roles are global."""
    role = role_of(function)
    assert role["RoleName"] == {"Fn::Sub": f"latchkey-${{Stage}}-${{AWS::Region}}-{function}"}
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert "ManagedPolicyArns" not in role
    assert pairs_of(_statements(role)) == pairs_of(policy(function))


def pairs_of(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return each action with each of its resources, except those of emails, for which the role names the sender."""
    return {
        (action, arn if isinstance(arn, str) else arn["Fn::Sub"])
        for each in statements
        if each["Sid"] != "Mail"
        for action in each["Action"]
        for arn in ([each["Resource"]] if isinstance(each["Resource"], str) else each["Resource"])
    }


def _statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    (only,) = role["Policies"]
    statements: list[dict[str, Any]] = only["PolicyDocument"]["Statement"]
    return statements


@pytest.mark.parametrize("function", FUNCTIONS)
def test_permissions_of_lambda_itself_are_granted(function: str) -> None:
    """Lambda can write logs to the function's own log group, and traces to X-Ray."""
    found = {action: arn for action, arn in list_granted(function) if action in OF_LAMBDA}
    name = "latchkey-${Stage}" if function == API else f"latchkey-${{Stage}}-{function}"
    group = f"arn:*:logs:${{AWS::Region}}:*:log-group:/aws/lambda/{name}:*"
    assert found == {action: group if action.startswith("logs:") else "*" for action in OF_LAMBDA}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_function_on_the_stream_may_read_it(function: str) -> None:
    """Each stream can be read by one function only. ListStreams can't be limited to one stream."""
    found = {action: arn for action, arn in list_granted(function) if action in OF_STREAMS}
    table = {STREAM: "events", JOB: "jobs"}.get(function)
    stream = f"arn:*:dynamodb:${{AWS::Region}}:*:table/latchkey-${{Stage}}-{table}/stream/*"
    listed = {"dynamodb:ListStreams": "*"}
    assert found == ({**dict.fromkeys(OF_STREAMS, stream), **listed} if table else {})
