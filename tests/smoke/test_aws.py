"""The checks of a smoke run in AWS, with moto."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from chalicelib.core import settings
from chalicelib.core.dynamodb.errors import DynamoDBError
from infra.smoke import alarms, clocks, command, latency, logs, mail
from infra.smoke.outcomes import DIFFERS, LEFT_OUT, OK, SEEN
from infra.smoke.run import Run

_DENIED = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform:"
GROUP = "/aws/lambda/latchkey-dev"
Made = Callable[..., Run]


@pytest.fixture
def cloud() -> Iterator[None]:
    """An AWS account without alarms, topics and logs. moto keeps the resources of earlier tests, so they
    are deleted.
    """
    with mock_aws():
        for service in ("cloudwatch", "logs", "sns"):
            get_backend(service)[DEFAULT_ACCOUNT_ID]["us-east-1"].reset()
        yield


def create_alarm(topic: dict[str, Any] | None = None, *, subscribed: bool = False) -> None:
    """Create a stage's alarm and its topic."""
    sns = boto3.client("sns")
    arn = sns.create_topic(Name="latchkey-dev-alarms", Attributes=topic or {})["TopicArn"]
    if subscribed:
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="ada@example.com")
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName="latchkey-dev-faults",
        AlarmActions=[arn],
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Faults",
        Namespace="Latchkey",
        Period=300,
        Statistic="Sum",
        Threshold=5,
    )


def find_states(run: Run, check: str) -> list[str]:
    """Return the states that a check has reported."""
    return [each.state for each in run.outcomes.found if each.check == check]


def test_topic_with_the_key_of_sns_is_reported(cloud: None, quiet_run: Made) -> None:
    """A topic encrypted with alias/aws/sns is reported, because CloudWatch can't use this key.

    A missing subscription is also reported.
    """
    create_alarm({"KmsMasterKeyId": "alias/aws/sns"})
    run = quiet_run()
    alarms.check(run)
    assert find_states(run, alarms.KEY) == [DIFFERS]
    assert find_states(run, alarms.SUBSCRIBED) == [SEEN]
    assert find_states(run, alarms.ALARMS) == [OK, SEEN]


def test_topic_without_a_key_and_with_a_subscription_passes(cloud: None, quiet_run: Made) -> None:
    """A topic as the data stack creates it, with a confirmed subscription, passes."""
    create_alarm(subscribed=True)
    run = quiet_run()
    alarms.check(run)
    assert find_states(run, alarms.KEY) == find_states(run, alarms.SUBSCRIBED) == [OK]


def test_unconfirmed_subscription_is_reported(quiet_run: Made) -> None:
    """A subscription that wasn't confirmed is reported, because its address receives no alarms."""
    run = quiet_run()
    alarms._judge_subscriptions(run, [{"SubscriptionArn": alarms.PENDING}])
    assert find_states(run, alarms.SUBSCRIBED) == [DIFFERS]


def test_stage_without_alarms_is_reported(cloud: None, quiet_run: Made) -> None:
    """A stage without alarms is reported, because its operator would not be notified."""
    run = quiet_run()
    alarms.check(run)
    assert find_states(run, alarms.ALARMS) == [DIFFERS, SEEN]


@pytest.mark.parametrize(("line", "state"), [("request-1", OK), ("another", DIFFERS)])
def test_log_is_searched_for_a_request_of_the_run(cloud: None, quiet_run: Made, line: str, state: str) -> None:
    """The log is searched for the id of a request of the run, and a log without this id is reported."""
    client = boto3.client("logs")
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": f'{{"request_id":"{line}"}}'}
    client.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[event])
    run = quiet_run()
    run.request_ids.append("request-1")
    run.arrives_within_s = 0
    logs.check(run)
    assert find_states(run, logs.LOG) == [state]
    assert find_states(run, logs.ACCESS_LOG) == [LEFT_OUT]


def test_stage_without_a_sender_is_neither_ok_nor_different(quiet_run: Made) -> None:
    """A stage without a sender is reported as one that sends no email. This is neither a success nor a difference."""
    run = quiet_run()
    mail.check(run)
    assert find_states(run, mail.CHECK) == [SEEN]


@pytest.mark.parametrize(("identity", "state"), [("mail.example.com", OK), ("example.org", DIFFERS)])
def test_unverified_sender_is_reported(quiet_run: Made, identity: str, state: str) -> None:
    """The sender's address, its domain or a parent domain must be verified. The SES sandbox is reported, and no email
    is sent.
    """
    client = boto3.client("sesv2")
    run = quiet_run()
    with Stubber(client) as ses:
        ses.add_response("get_account", {"ProductionAccessEnabled": False, "SendingEnabled": True})
        for name in ("keys@mail.example.com", "mail.example.com", "example.com"):
            if name == identity:
                ses.add_response("get_email_identity", {"VerifiedForSendingStatus": True}, {"EmailIdentity": name})
            else:
                ses.add_client_error("get_email_identity", "NotFoundException")
        mail.look(run, client, "Acme <keys@mail.example.com>")
    assert [each.found for each in run.outcomes.of(SEEN)] == ["the account is in SES's sandbox in this region"]
    assert find_states(run, "the sender is verified") == [state]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "FilterLogEvents"), LEFT_OUT),
        (ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents"), DIFFERS),
        (
            DynamoDBError("AccessDeniedException", f"{_DENIED} dynamodb:FilterLogEvents on resource: …", {}),
            LEFT_OUT,
        ),
        (DynamoDBError("ResourceNotFoundException", "no table for FilterLogEvents", {}), DIFFERS),
    ],
)
def test_check_without_its_permission_is_left_out(quiet_run: Made, error: Exception, state: str) -> None:
    """If the permission for a call is missing, the check is left out and the report names the call. Any other AWS error
    is a difference.
    """
    run = quiet_run()
    with run.record_errors("a check"):
        raise error
    assert find_states(run, "a check") == [state]
    assert "FilterLogEvents" in run.outcomes.found[0].found
    assert "ada" not in run.outcomes.found[0].found


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that were made with credentials without permissions; AWS denies each of them."""
    calls: list[str] = []

    def refuse(model: Any, **_: object) -> tuple[Any, dict[str, Any]]:
        prefix = model.service_model.endpoint_prefix
        service = {"monitoring": "cloudwatch", "email": "ses"}.get(prefix, prefix)
        calls.append(model.name)
        denied = f"{_DENIED} {service}:{model.name}"
        said = {"Code": "AccessDeniedException", "Message": f"{denied} on resource: * because no policy allows it"}
        return AWSResponse("", 403, {}, None), {"Error": said, "ResponseMetadata": {"HTTPStatusCode": 403}}

    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="s", region_name="us-east-1")
    session.events.register("before-call", refuse)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    return calls


def test_each_missing_permission_is_one_line(quiet_run: Made, refused: list[str]) -> None:
    """Each check of logs, traces, alarms, SES and cold starts that lacks a permission is left out and names the
    permission.
    """
    run = quiet_run(settings=settings.Settings(mail_from="keys@example.com"), is_cold_wanted=True)
    run.request_ids.append("request-1")
    run.is_traced = True
    logs.check(run)
    alarms.check(run)
    mail.check(run)
    latency.measure_cold(run, "a key")
    assert {each.check: each.found for each in run.outcomes.found} == {
        logs.LOG: "these credentials lack the permission logs:FilterLogEvents",
        logs.ACCESS_LOG: "these credentials lack the permission lambda:GetPolicy",
        logs.TRACE: "these credentials lack the permission xray:BatchGetTraces",
        alarms.ALARMS: "these credentials lack the permission cloudwatch:DescribeAlarms",
        mail.CHECK: "these credentials lack the permission ses:GetAccount",
        latency.COLD_CHECK: "these credentials lack the permission lambda:GetFunctionConfiguration",
    }
    assert {each.state for each in run.outcomes.found} == {LEFT_OUT}


def test_checks_of_unreadable_topics_are_left_out(quiet_run: Made, refused: list[str]) -> None:
    """If the alarms can be read but not their topics, both checks of topics are left out."""
    run = quiet_run()
    alarms.check_topics(run, ["arn:aws:sns:us-east-1:123456789012:alarms"])
    assert {each.check: each.found for each in run.outcomes.of(LEFT_OUT)} == {
        alarms.KEY: "these credentials lack the permission sns:GetTopicAttributes",
        alarms.SUBSCRIBED: "these credentials lack the permission sns:ListSubscriptionsByTopic",
    }


def test_unreadable_stage_is_reported_in_one_line(
    refused: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without permission to read the function's settings nothing is checked, and the error names the permission."""
    for name in ("URL", "ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STAGE", "dev")
    assert command.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "not authorized to perform: lambda:GetFunctionConfiguration" in line


def test_log_is_not_searched_when_no_request_reached_the_function(quiet_run: Made, refused: list[str]) -> None:
    """If no request of the run has reached the function, AWS isn't called and the checks of logs are left out."""
    run = quiet_run()
    logs.check(run)
    assert {each.check: each.found for each in run.outcomes.of(LEFT_OUT)} == dict.fromkeys(
        (logs.LOG, logs.ACCESS_LOG, logs.TRACE), logs.NO_REQUEST
    )
    assert refused == []


@pytest.mark.parametrize(("moment_s", "apart_s"), [(9.0, -1.0), (10.0, 0.0), (14.0, 0.0), (15.0, 0.0), (19.0, 4.0)])
def test_slow_response_is_no_clock_skew(moment_s: float, apart_s: float) -> None:
    """A remote time has no skew if it is between the start and the end of the request. Otherwise its distance from this
    period is the skew.
    """
    assert clocks.outside(moment_s, 10, 15) == apart_s


@pytest.mark.parametrize(("apart_s", "state"), [(0.4, OK), (-3.9, OK), (6.0, DIFFERS), (-6.0, DIFFERS)])
def test_clock_skew_is_reported(quiet_run: Made, apart_s: float, state: str) -> None:
    """A clock may differ by three seconds, plus an allowance for the rounding of the Date header."""
    run = quiet_run()
    clocks.judge(run, {"the function": apart_s})
    assert find_states(run, f"{clocks.CHECK}: the function") == [state]


def test_date_header_is_parsed_as_utc() -> None:
    """A Date header in the format of RFC 9110 §5.6.7 is parsed as UTC."""
    assert clocks.seconds("Mon, 20 Dec 2021 10:00:00 GMT") == 1_639_994_400
