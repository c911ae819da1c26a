"""`make status`, the end of `make deploy`, and `DRY_RUN=1` show what an operator would otherwise look up in AWS."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import configuration, lock
from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import Cloud, serving
from tests.deploy.test_domains import CERTIFICATE, DOMAIN, configure

pytestmark = pytest.mark.xdist_group("others")
CONFIGURED = {"domain_name": DOMAIN, "certificate_arn": CERTIFICATE, "url_prefix": "keys"}
ALARMS = "arn:aws:sns:us-east-1:123456789012:latchkey-dev-alarms"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """An account that all tests of this module share. Later tests depend on the changes of earlier ones."""
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def checkout(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose configuration has a domain."""
    made = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
    configure(made, **CONFIGURED)
    return made


def piped_to_head(cloud: Cloud, checkout: Checkout, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command, pipe its output to `head -1`, and return the result."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m infra.deploy {command} --stage dev | head -1"],
        cwd=checkout.path,
        env={"PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", **cloud.environment},
        capture_output=True,
        text=True,
        check=False,
    )


def target(cloud: Cloud) -> str:
    """Return the host to which the domain's DNS must point."""
    return str(cloud.client("apigateway").get_domain_name(domainName=DOMAIN)["regionalDomainName"])


def test_deployment_prints_the_domain_and_its_dns_target(cloud: Cloud, checkout: Checkout) -> None:
    """A deployment prints the API's own URL, the domain, and the host for DNS."""
    said = checkout.succeeds("deploy", "dev", "--alarm-email", "ops@example.com", "--log-days", "90")
    (api,) = cloud.apis()
    own = f"https://{api}.execute-api.us-east-1.amazonaws.com/api/"
    once = f"once the domain's DNS leads to {target(cloud)} (CNAME, or an alias record)"
    assert f"Latchkey runs at {own}, and at https://{DOMAIN}/keys/ {once}\n" in said
    assert f"then open {own}login" in said


def test_status_shows_options_and_domain(cloud: Cloud, checkout: Checkout) -> None:
    """`make status` shows the stage's options, the mapping of its domain, and the email of its alarms."""
    said = checkout.succeeds("status", "dev")
    assert f"domain    https://{DOMAIN}/keys/: leads here; its DNS must lead to {target(cloud)}\n" in said
    assert "chosen    ALARM_EMAIL=ops@example.com LOG_DAYS=90\n" in said
    assert said.endswith("alarms to ops@example.com\n")


def test_unconfirmed_alarm_email_is_reported(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make status` and a deployment report an alarm email that isn't confirmed. moto doesn't emulate this state."""
    pending = {"Endpoint": "ops@example.com", "SubscriptionArn": "PendingConfirmation"}
    monkeypatch.setattr(
        "moto.sns.models.SNSBackend.list_subscriptions_by_topic",
        lambda *_, **__: ([_Subscription(**pending)], None),
        raising=True,
    )
    said = checkout.succeeds("status", "dev")
    assert said.endswith("alarms to ops@example.com, who gets none before the link in AWS's mail is opened\n")
    said = checkout.succeeds("deploy", "dev")
    assert "ops@example.com gets no alarm before it opens the link in the mail that AWS has sent it.\n" in said


class _Subscription:
    owner = account_id = "123456789012"
    protocol, topic_arn = "email", ALARMS

    def __init__(self, Endpoint: str, SubscriptionArn: str) -> None:  # noqa: N803 - as AWS calls them
        self.endpoint, self.arn = Endpoint, SubscriptionArn
        self.topic = self


def test_status_names_stopped_functions(cloud: Cloud, checkout: Checkout) -> None:
    """`make status` lists functions whose concurrency was set to 0, as before a restore."""
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="latchkey-dev-hour", ReservedConcurrentExecutions=0)
    assert "stopped   latchkey-dev-hour may run 0 times at once\n" in checkout.succeeds("status", "dev")
    functions.delete_function_concurrency(FunctionName="latchkey-dev-hour")
    assert "stopped" not in checkout.succeeds("status", "dev")


def test_status_handles_a_closed_pipe(cloud: Cloud, checkout: Checkout) -> None:
    """`make status` ends without an error if its output is closed early."""
    piped = piped_to_head(cloud, checkout, "status")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert piped.stdout == "stage     dev, in account 123456789012, region us-east-1\n"


def test_destroy_continues_after_a_closed_pipe(cloud: Cloud, checkout: Checkout) -> None:
    """`make destroy` finishes and releases the lock if its output is closed early."""
    piped = piped_to_head(cloud, checkout, "destroy")
    assert (piped.returncode, piped.stdout.count("\n")) == (0, 1)
    assert cloud.apis() == []
    checkout.succeeds("deploy", "dev")


def test_status_reports_unsubscribed_email_and_deleted_topic(cloud: Cloud, checkout: Checkout) -> None:
    """`make status` reports an unsubscribed alarm email and a deleted topic, which a deployment creates again."""
    (topic,) = (each["TopicArn"] for each in cloud.client("sns").list_topics()["Topics"])
    (subscribed,) = cloud.client("sns").list_subscriptions()["Subscriptions"]
    cloud.client("sns").unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
    said = checkout.succeeds("status", "dev")
    assert (
        "nobody: ops@example.com has unsubscribed, or didn't confirm in time. To ask again: aws sns subscribe" in said
    )
    cloud.client("sns").delete_topic(TopicArn=topic)
    assert f"gone      {topic}; the next deployment makes it again" in checkout.succeeds("status", "dev")
    said = checkout.succeeds("deploy", "dev", "--dry-run")
    assert f"  Make again AWS::SNS::Topic Alarms, which somebody deleted: {topic}\n" in said
    assert "  nothing changes" not in said
    checkout.succeeds("deploy", "dev")
    assert "alarms to ops@example.com\n" in checkout.succeeds("status", "dev")


def test_dry_run_shows_one_line_a_change(cloud: Cloud, checkout: Checkout) -> None:
    """A dry run prints one line for each change, so that operators notice the deletion of a domain."""
    configure(checkout)
    cloud.changes.clear()
    said = checkout.succeeds("deploy", "dev", "--dry-run").splitlines()
    configure(checkout, **CONFIGURED)
    assert [each for each in cloud.changes if "ChangeSet" not in each] == []
    assert f"  Deleting custom domain name: {configuration.DOMAIN} ({DOMAIN})" in said
    assert "  Updating lambda function: latchkey-dev-hour" in said
    assert len(said) < 30


def test_dry_run_names_a_concurrent_deployment(cloud: Cloud, checkout: Checkout) -> None:
    """A dry run names the operator of a running deployment, because the dry run may then be incomplete."""
    item = {"held_by": {"S": "1"}, "who": {"S": "ada on laptop, since 10:00 UTC,"}, "dies_at": {"N": "0"}}
    for dies_at, is_held in ((time.time() + 60, True), (time.time() - 60, False)):
        held = lock.KEY | item | {"dies_at": {"N": str(int(dies_at))}}
        cloud.client("dynamodb").put_item(TableName="latchkey-dev-tickets", Item=held)
        said = checkout.succeeds("deploy", "dev", "--dry-run")
        assert ("ada on laptop, since 10:00 UTC, is deploying or destroying dev: what" in said) == is_held


def test_status_shows_retained_data(cloud: Cloud, checkout: Checkout) -> None:
    """After `make destroy`, `make status` shows the data that was kept."""
    checkout.succeeds("destroy", "dev")
    said = checkout.succeeds("status", "dev")
    assert "service   none; make deploy makes it" in said
    assert f"domain    https://{DOMAIN}/keys/: not made; the next deployment does\n" in said
    assert cloud.apis() == []


@pytest.mark.parametrize("output", ["/dev/full", "output.txt"])
def test_unwritable_output_interrupts_no_command(cloud: Cloud, checkout: Checkout, output: str, tmp_path: Path) -> None:
    """A command continues if its output is on a full disk, or if the terminal's encoding lacks a character."""
    file = output if output.startswith("/") else str(tmp_path / output)
    environment = {"PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", **cloud.environment}
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m infra.deploy deploy --stage dev --dry-run > {file}"],
        cwd=checkout.path,
        env=environment | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
