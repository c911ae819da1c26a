"""Least privilege, proved: what each function's policy grants is what the function needs, and nothing else."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from infra.routes import of_latchkey
from tests.infra.policies import CHALICE, OF_LAMBDA, OF_STREAMS, STAGES, is_lambdas, listed, policy, seen
from tests.infra.recorder import API, FUNCTIONS, STREAM, Need, Recorder

pytestmark = pytest.mark.xdist_group("policies")

WIDE = {
    "ses:SendEmail": "identity/*: the sender is a setting of the owner's, and Chalice reads a policy file as it stands",
}
"""What is wide though the code calls it, and why."""


@pytest.fixture(scope="module")
def recorder(moto_url: str) -> Iterator[Recorder]:
    """Everything that can be done, recorded."""
    with mock_aws(), seen(moto_url) as recorded:
        yield recorded


def granted(stage: str, function: str) -> list[tuple[str, str]]:
    """Return each (action, ARN) that a policy allows."""
    return [
        (action, arn)
        for statement in policy(stage, function)
        for action in listed(statement["Action"])
        for arn in listed(statement["Resource"])
    ]


def _end(arn: str) -> str:
    """Return what of an ARN names the thing itself."""
    return arn.split(":", 5)[-1]


def test_everything_was_done(recorder: Recorder) -> None:
    """No route is left out of what the policies are measured by."""
    # A HEAD runs what its GET runs.
    routes = {(method, route) for route, entries in of_latchkey().items() for method in entries if method != "HEAD"}
    assert routes - recorder.answered == set()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_policy_grants_what_the_function_needs_and_nothing_else(recorder: Recorder, stage: str, function: str) -> None:
    """Too little would fail in production only; too much is what a thief of the role would get."""
    needed = {
        (action, resource.replace("latchkey-test-", f"latchkey-{stage}-").replace("/test/", f"/{stage}/"))
        for action, resource in needs(recorder, function)
    }
    allowed = {(action, _end(arn)) for action, arn in granted(stage, function) if not is_lambdas(action)}
    assert (needed - allowed, allowed - needed) == (set(), set())


def needs(recorder: Recorder, function: str) -> set[Need]:
    """Return what a function was seen to need."""
    assert recorder.needs[function]
    return recorder.needs[function]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_only_region_account_and_partition_are_left_open(stage: str, function: str) -> None:
    """Chalice reads a policy file as it stands, so those can't be filled in; everything else is named."""
    for action, arn in granted(stage, function):
        assert "*" not in action
        if is_lambdas(action) or action in WIDE:
            continue
        start, partition, service, region, account, end = arn.split(":", 5)
        assert (start, partition, region, account) == ("arn", "*", "*", "*"), arn
        assert service == action.partition(":")[0]
        assert "*" not in end, arn


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_what_lambda_itself_needs_is_granted(stage: str, function: str) -> None:
    """Logs go to the function's own group, which the data stack made; traces to X-Ray."""
    found = {action: arn for action, arn in granted(stage, function) if action in OF_LAMBDA}
    name = f"latchkey-{stage}" if function == API else f"latchkey-{stage}-{function}"
    group = f"arn:*:logs:*:*:log-group:/aws/lambda/{name}:*"
    assert found == {action: group if action.startswith("logs:") else "*" for action in OF_LAMBDA}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_only_the_function_on_the_stream_may_read_it(stage: str, function: str) -> None:
    """Streams can be listed without naming one only; the rest is of the one table."""
    found = {action: arn for action, arn in granted(stage, function) if action in OF_STREAMS}
    stream = f"arn:*:dynamodb:*:*:table/latchkey-{stage}-events/stream/*"
    listed = {"dynamodb:ListStreams": "*"}
    assert found == ({**dict.fromkeys(OF_STREAMS, stream), **listed} if function == STREAM else {})


@pytest.mark.parametrize("stage", STAGES)
def test_each_function_has_the_policy_that_is_tested(stage: str) -> None:
    """The configuration points at these files, and nothing is granted beside them."""
    config = json.loads((CHALICE / "config.json").read_text())
    chosen = config["stages"][stage]
    assert (config["autogen_policy"], chosen.get("autogen_policy")) == (False, None)
    functions = chosen["lambda_functions"]
    assert functions.keys() == {"api_handler", *FUNCTIONS} - {API}
    assert chosen["iam_policy_file"] == f"policy-{stage}-{API}.json"
    assert "iam_policy_file" not in functions["api_handler"]
    for function in functions.keys() - {"api_handler"}:
        assert functions[function]["iam_policy_file"] == f"policy-{stage}-{function}.json"
