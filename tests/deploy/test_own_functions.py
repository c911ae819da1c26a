"""Functions that the operator adds to app.py are deployed, adopted, replaced and removed with their triggers."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import app
from infra import configuration, subscription
from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud import ACCOUNT, Cloud, serving

pytestmark = pytest.mark.xdist_group("own_functions")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/own"
NAMES = ("mine", "on_order", "on_queue", "on_topic", "on_bucket", "on_record", "plain")
LISTS = ("event_sources", "pure_lambda_functions", "builtin_auth_handlers")


@dataclass
class Account:
    """An account with resources that send events, and a checkout whose app.py can declare functions for the events."""

    cloud: Cloud
    checkout: Checkout
    stream: str = ""
    topic: str = ""
    names: list[str] = field(default_factory=list)

    def declare(self, *names: str) -> None:
        """Declare functions of the operator in app.py instead of the earlier ones, and configure their role."""
        _forget_functions()
        declarations: dict[str, Any] = {
            "mine": lambda: app.schedule("rate(1 hour)", name="mine"),
            "on_order": lambda: app.on_dynamodb_record(self.stream, name="on_order"),
            "on_queue": lambda: app.on_sqs_message(queue="orders", name="on_queue"),
            "on_topic": lambda: app.on_sns_message(topic="orders", name="on_topic"),
            "on_bucket": lambda: app.on_s3_event(bucket="orders-of-ours", name="on_bucket"),
            "on_record": lambda: app.on_kinesis_record(stream="orders", name="on_record"),
            "plain": lambda: app.lambda_function(name="plain"),
        }
        for name in names:
            declarations[name]()(_handle)
        configure(self.checkout, {name: {"iam_role_arn": ROLE} for name in names})

    def triggers(self) -> dict[str, int]:
        """Count the triggers of functions by type. Latchkey's own triggers are 2 rules and 1 mapping."""
        notified = self.cloud.client("s3").get_bucket_notification_configuration(Bucket="orders-of-ours")
        topics = self.cloud.client("sns").list_subscriptions()["Subscriptions"]
        mappings = self.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return {
            "rules": len(self.cloud.client("events").list_rules()["Rules"]),
            "mappings": len(mappings),
            "topics": len(topics),
            "buckets": len(notified.get("LambdaFunctionConfigurations", [])),
        }

    def own(self) -> list[str]:
        """Return the names of the functions that aren't Latchkey's, without the prefix."""
        names = {name.removeprefix("latchkey-dev").removeprefix("-") for name in self.cloud.functions()}
        return sorted(names - {"", *configuration.OURS})


def _handle(event: Any, context: Any = None) -> None:
    """Do nothing, because no test sends an event."""


def _forget_functions() -> None:
    for name in LISTS:
        handlers = getattr(app, name)
        handlers[:] = [each for each in handlers if each.name in configuration.OURS]
    for name in NAMES:
        app.handler_map.pop(name, None)


def configure(checkout: Checkout, functions: dict[str, dict[str, str]]) -> None:
    """Replace the operator's functions in the stage's configuration."""
    file = checkout.path / configuration.FILE
    whole = json.loads(file.read_text())
    ours = whole["stages"]["dev"]["lambda_functions"]
    whole["stages"]["dev"]["lambda_functions"] = {name: ours[name] for name in configuration.OURS} | functions
    file.write_text(json.dumps(whole))


def folder(path: Path, name: str) -> Path:
    """Return a new folder for a checkout."""
    (path / name).mkdir()
    return path / name


def stream_of(cloud: Cloud, table: str) -> str:
    """Return the stream of a new table of the operator."""
    created = cloud.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return str(created["TableDescription"]["LatestStreamArn"])


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """An account in which nothing is deployed yet."""
    with serving() as cloud:
        checkout = copied(folder(tmp_path, "first"), is_light=True, **cloud.environment)
        made = Account(cloud, checkout, stream_of(cloud, "orders"))
        cloud.client("iam").create_role(RoleName="own", AssumeRolePolicyDocument="{}")
        cloud.client("sqs").create_queue(QueueName="orders")
        cloud.client("s3").create_bucket(Bucket="orders-of-ours")
        cloud.client("kinesis").create_stream(StreamName="orders", ShardCount=1)
        made.topic = cloud.client("sns").create_topic(Name="orders")["TopicArn"]
        yield made
    _forget_functions()


def test_own_functions_are_adopted_from_any_checkout(account: Account, tmp_path: Path) -> None:
    """A second deployment, from another checkout, finds every function of the operator, and duplicates nothing."""
    account.declare(*NAMES)
    account.checkout.succeeds("deploy", "dev")
    everything = {"rules": 3, "mappings": 4, "topics": 1, "buckets": 1}
    assert (account.own(), account.triggers()) == (sorted(NAMES), everything)
    other = copied(folder(tmp_path, "other"), is_light=True, **account.cloud.environment)
    configure(other, {name: {"iam_role_arn": ROLE} for name in NAMES})
    other.succeeds("deploy", "dev")
    assert (account.own(), account.triggers()) == (sorted(NAMES), everything)


def test_removed_functions_are_deleted_with_their_triggers(account: Account) -> None:
    """A deployment deletes functions that app.py no longer declares, and their triggers."""
    account.declare(*NAMES)
    account.checkout.succeeds("deploy", "dev")
    (account.checkout.path / ".chalice" / "deployed" / "dev.json").unlink()
    account.declare("plain")
    planned = account.checkout.succeeds("deploy", "dev", "--dry-run")
    assert planned.count("Deleting function") == len(NAMES) - 1
    account.checkout.succeeds("deploy", "dev")
    assert (account.own(), account.triggers()) == (["plain"], {"rules": 2, "mappings": 1, "topics": 0, "buckets": 0})


def test_destroy_removes_own_functions(account: Account, tmp_path: Path) -> None:
    """`make destroy` deletes the operator's functions even if app.py declares none, and not those of other stages."""
    account.declare(*NAMES)
    account.checkout.succeeds("deploy", "dev")
    functions = account.cloud.client("lambda")
    functions.create_function(
        FunctionName="latchkey-dev-eu-report",
        Runtime="python3.13",
        Role=ROLE,
        Handler="app.report",
        Code={"ZipFile": b""},
        Tags={"aws-chalice": "version=1.33.0:stage=dev-eu:app=latchkey"},
    )
    _forget_functions()
    copied(folder(tmp_path, "other"), is_light=True, **account.cloud.environment).succeeds("destroy", "dev")
    assert set(account.cloud.functions()) == {"latchkey-dev-eu-report"}
    assert account.triggers() == {"rules": 0, "mappings": 0, "topics": 0, "buckets": 0}


def test_changed_stream_is_subscribed_to(account: Account) -> None:
    """A function whose stream changes in app.py is subscribed to the new stream alone."""
    account.declare("on_order")
    account.checkout.succeeds("deploy", "dev")
    account.stream = stream_of(account.cloud, "sales")
    account.declare("on_order")
    account.checkout.succeeds("deploy", "dev")
    mappings = account.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    sources = [each["EventSourceArn"] for each in mappings if each["FunctionArn"].endswith("on_order")]
    assert sources == [account.stream]


def test_subscription_of_own_function_in_deletion_is_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment waits until Lambda has deleted the former subscription of an operator's function."""
    monkeypatch.setattr(subscription, "PAUSE_S", 0)
    account.declare("on_order")
    account.checkout.succeeds("deploy", "dev")
    account.cloud.lingers = 1_000
    account.checkout.succeeds("destroy", "dev")
    account.cloud.leaving = [(mapping, 20) for mapping, _ in account.cloud.leaving]
    said = account.checkout.succeeds("deploy", "dev")
    assert "Waiting until Lambda has deleted the former subscription of latchkey-dev-on_order" in said


def test_stopped_own_function_is_not_started(account: Account) -> None:
    """A deployment refuses a stage with a stopped function, also if it is one of the operator's own."""
    account.declare("plain")
    account.checkout.succeeds("deploy", "dev")
    account.cloud.client("lambda").put_function_concurrency(
        FunctionName="latchkey-dev-plain", ReservedConcurrentExecutions=0
    )
    done = account.checkout.run("deploy", "dev")
    assert (done.status, "latchkey-dev-plain may run 0 times at once" in done.error) == (1, True)
    assert "latchkey-dev-plain" in account.checkout.succeeds("status", "dev")


def test_packaged_own_function_has_its_name_and_role(account: Account, tmp_path: Path) -> None:
    """`make package` names an own function as `make deploy` does, and gives it its configured role."""
    account.declare("plain")
    account.checkout.succeeds("package", "dev", "--out", str(tmp_path / "out"))
    properties = yaml.safe_load((tmp_path / "out" / "sam.yaml").read_text())["Resources"]["Plain"]["Properties"]
    assert (properties["FunctionName"], properties["Role"]) == ("latchkey-dev-plain", ROLE)


def test_function_without_a_role_is_refused_before_any_change(account: Account) -> None:
    """An operator's function without a separate role is rejected before a table or a function is created."""
    account.declare("mine")
    configure(account.checkout, {})
    account.cloud.changes.clear()
    done = account.checkout.run("deploy", "dev")
    assert (done.status, account.cloud.changes) == (1, [])
    assert "your function mine needs a role" in done.error


def test_misspelt_function_is_refused_before_any_change(account: Account) -> None:
    """A configured function that app.py doesn't declare is rejected, and the most similar name is suggested."""
    account.declare("on_order")
    configure(account.checkout, {"on_orders": {"iam_role_arn": ROLE}})
    account.cloud.changes.clear()
    done = account.checkout.run("deploy", "dev")
    assert (done.status, account.cloud.changes) == (1, [])
    assert "lambda_functions.on_orders: app.py declares no such function. Did you mean on_order?" in done.error


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name' (app.py, line "),
        ("raise SystemExit(3)", "SystemExit: 3 (app.py, line "),
        ("def broken(:", "SyntaxError: invalid syntax (app.py, line "),
        ("app.route('/no/')(print)", "Route cannot end with a trailing slash: /no/"),
        (
            "app.experimental_feature_flags.add('WEBSOCKETS')\napp.on_ws_message(name='chat')(print)",
            "app.py has WebSocket handlers",
        ),
        ("app.lambda_function(name='x' * 60)(print)", "takes names of up to 64 letters"),
    ],
)
def test_broken_app_is_refused_before_any_change(
    account: Account, code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in app.py is reported in one line with its position, before a table or a function is created."""
    (account.checkout.path / "app.py").write_text(
        f"from chalice import Chalice\napp = Chalice('latchkey', configure_logs=False)\n{code}\n"
    )
    account.cloud.changes.clear()
    for command in (["deploy", "dev"], ["deploy", "dev", "--dry-run"], ["package", "dev"]):
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.delitem(sys.modules, "app", raising=False)  # so that the copy's app.py is imported
        done = account.checkout.run(*command)
        assert (done.status, account.cloud.changes) == (1, [])
        (line,) = done.error.splitlines()
        assert said in line
        assert line.endswith("Nothing was changed.")
