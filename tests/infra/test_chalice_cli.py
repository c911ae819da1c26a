"""Chalice's configuration of functions that read streams."""

from chalice.app import Chalice, DynamoDBEvent, DynamoDBEventConfig
from chalice.config import Config

from infra import chalice_cli

OWN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/1"


def test_own_stream_function_keeps_its_stream() -> None:
    """Only the functions called `stream` and `job` get the streams of our tables."""
    app = Chalice("latchkey", configure_logs=False)

    @app.on_dynamodb_record(stream_arn="set later", name="stream")
    def ours(event: DynamoDBEvent) -> None:
        """Handle events as Latchkey's stream function."""

    @app.on_dynamodb_record(stream_arn="set later", name="job")
    def job(event: DynamoDBEvent) -> None:
        """Work on jobs as Latchkey's function does."""

    @app.on_dynamodb_record(stream_arn=OWN, name="orders")
    def theirs(event: DynamoDBEvent) -> None:
        """Handle orders as an operator's own stream function."""

    streams = {"stream": "the stream of events", "job": "the stream of jobs"}
    chalice_cli._name_streams(Config("dev", user_provided_params={"chalice_app": app}), streams)
    sources = [each for each in app.event_sources if isinstance(each, DynamoDBEventConfig)]
    assert {each.name: each.stream_arn for each in sources} == {
        "stream": "the stream of events",
        "job": "the stream of jobs",
        "orders": OWN,
    }
