"""An account with sources of events, and a checkout whose app.py declares functions of the operator for them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import app
from infra import configuration
from tests.deploy.checkout import Checkout
from tests.deploy.cloud import ACCOUNT, Cloud

ROLE = f"arn:aws:iam::{ACCOUNT}:role/own"
NAMES = ("mine", "on_order", "on_queue", "on_topic", "on_bucket", "on_record", "plain")
OURS = {name: list(getattr(app, name)) for name in ("event_sources", "pure_lambda_functions", "builtin_auth_handlers")}
"""The handlers of Latchkey's own functions, by the attribute of the app that lists them."""


@dataclass
class Account:
    """An account with resources that send events, and a checkout whose app.py can declare functions for the events."""

    cloud: Cloud
    checkout: Checkout
    stream: str = ""
    source: str = "orders"
    """The name of the queue, the topic, the Kinesis stream and, at its beginning, the bucket."""

    def declare(self, *names: str) -> None:
        """Declare functions of the operator in app.py instead of the earlier ones, and configure their role."""
        forget_functions()
        declarations: dict[str, Any] = {
            "mine": lambda: app.schedule("rate(1 hour)", name="mine"),
            "on_order": lambda: app.on_dynamodb_record(self.stream, name="on_order"),
            "on_queue": lambda: app.on_sqs_message(queue=self.source, name="on_queue"),
            "on_topic": lambda: app.on_sns_message(topic=self.source, name="on_topic"),
            "on_bucket": lambda: app.on_s3_event(bucket=f"{self.source}-of-ours", name="on_bucket"),
            "on_record": lambda: app.on_kinesis_record(stream=self.source, name="on_record"),
            "plain": lambda: app.lambda_function(name="plain"),
        }
        for name in names:
            declarations[name]()(handle)
        configure(self.checkout, {name: {"iam_role_arn": ROLE} for name in names})

    def triggers(self) -> dict[str, int]:
        """Count the triggers of functions by type. Latchkey's own triggers are 2 rules and 1 mapping."""
        topics = self.cloud.client("sns").list_subscriptions()["Subscriptions"]
        mappings = self.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return {
            "rules": len(self.cloud.client("events").list_rules()["Rules"]),
            "mappings": len(mappings),
            "topics": len(topics),
            "buckets": self.notified(f"{self.source}-of-ours"),
        }

    def notified(self, bucket: str) -> int:
        """Return the number of functions that a bucket notifies."""
        configured = self.cloud.client("s3").get_bucket_notification_configuration(Bucket=bucket)
        return len(configured.get("LambdaFunctionConfigurations", []))

    def create_sources(self) -> None:
        """Create a queue, a topic, a Kinesis stream, a bucket and a table with a stream."""
        self.cloud.client("sqs").create_queue(QueueName=self.source)
        self.cloud.client("s3").create_bucket(Bucket=f"{self.source}-of-ours")
        self.cloud.client("kinesis").create_stream(StreamName=self.source, ShardCount=1)
        self.cloud.client("sns").create_topic(Name=self.source)
        self.stream = stream_of(self.cloud, self.source)

    def change_sources(self) -> None:
        """Create other sources, for the functions that are declared next."""
        self.source = "others"
        self.create_sources()

    def own(self) -> list[str]:
        """Return the names of the functions that aren't Latchkey's, without the prefix."""
        names = {name.removeprefix("latchkey-dev").removeprefix("-") for name in self.cloud.functions()}
        return sorted(names - {"", *configuration.OURS})


def handle(event: Any, context: Any = None) -> None:
    """Do nothing, because no test sends an event."""


def forget_functions() -> None:
    for name, handlers in OURS.items():
        getattr(app, name)[:] = handlers
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
