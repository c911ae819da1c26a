"""The one place that talks to DynamoDB: a call in the wire's own JSON, its errors by what they mean, bounded retries.

`lean` signs and sends, or, by a setting, botocore. How long to insist depends on who asks: an admission must answer at
once, a write that revokes a key may take its time.
"""

import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import codec, endpoint, errors
from chalicelib.core.dynamodb.connection_pool import IDLE_MAX, Connections, NoAnswer

Json = dict[str, Any]
Send = Callable[[str, Json], Json]
BATCH_MAX = 100
"""DynamoDB reads so many items by their keys in one call."""
BATCHES_MAX = 8
"""So often is asked for what a batch left over."""
CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 1
BACKOFF_S = 0.02


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one call is sent before its caller hears of the failure."""

    unavailable: int
    throttled: int
    conflict: int
    not_accepted: int = 2

    def tries(self, error: errors.WireError) -> int:
        """Return how often a call is sent that fails like this."""
        if isinstance(error, errors.Throttled):
            return self.throttled
        if isinstance(error, errors.NotAccepted):
            return self.not_accepted
        return self.conflict if isinstance(error, errors.Contended) else self.unavailable


AT_ONCE = Patience(unavailable=2, throttled=1, conflict=6)
"""For an admission: a throttled counter is an answer, not something to wait for."""
INSISTENT = Patience(unavailable=3, throttled=6, conflict=12)
"""For everything a person or a client waits for."""


def call(operation: str, request: Mapping[str, Any], patience: Patience = INSISTENT) -> Json:
    """Send one DynamoDB operation and return its answer.

    A transaction carries one idempotency token through all its tries, so a lost answer is never a second effect.
    Raises ConditionFailed, Throttled, Contended, NotAccepted or Unreachable once `patience` is spent, WireError for
    anything else.
    """
    body = dict(request)
    if operation == "TransactWriteItems":
        body.setdefault("ClientRequestToken", secrets.token_hex(16))
    failed: list[type[errors.WireError]] = []
    while True:
        try:
            with telemetry.dynamodb_call(operation, body):
                return sender()(operation, body)
        except (errors.Throttled, errors.Contended, errors.NotAccepted, errors.Unreachable) as error:
            failed.append(type(error))
            if failed.count(type(error)) >= patience.tries(error):
                raise
        _back_off(len(failed))


def batch_get(keys: Mapping[str, Json]) -> dict[str, Json]:
    """Return one item of each table by its key, read consistently in one call; what isn't there is absent."""
    wanted: Json = {table: {"Keys": [key], "ConsistentRead": True} for table, key in keys.items()}
    found: dict[str, Json] = {}
    for responses in _batches(wanted):
        found |= {table: items[0] for table, items in responses.items() if items}
    return found


def batch_get_of(table: str, keys: list[Json], *, consistent: bool) -> list[Json]:
    """Read items of one table by their keys, a hundred a call, in no order; what isn't there is absent."""
    return [
        item
        for first in range(0, len(keys), BATCH_MAX)
        for responses in _batches({table: {"Keys": keys[first : first + BATCH_MAX], "ConsistentRead": consistent}})
        for item in responses.get(table, [])
    ]


def _batches(wanted: Json) -> Iterator[dict[str, list[Json]]]:
    """Return what batches of reads bring; raise Throttled when some of it doesn't come in `BATCHES_MAX` calls."""
    if not wanted:
        return
    for made in range(1, BATCHES_MAX + 1):
        answer = call("BatchGetItem", {"RequestItems": wanted})
        yield answer["Responses"]
        # DynamoDB leaves some for another call when it is short of capacity, or when they are more than 16 MB.
        wanted = answer.get("UnprocessedKeys") or {}
        if not wanted:
            return
        if made < BATCHES_MAX:
            _back_off(made)
    raise errors.Throttled("ProvisionedThroughputExceededException", "UnprocessedKeys remain", answer)


def _back_off(times: int) -> None:
    clock.pause(random.uniform(0, BACKOFF_S * 2 ** min(times, 5)))  # noqa: S311 - jitter, not a secret


_sends: Send | None = None
_connections: Connections | None = None


def sender() -> Send:
    """Return what sends; made once per process, when first needed."""
    global _sends
    if _sends is None:
        _sends = _by_botocore() if settings.current().wire == "botocore" else _by_ourselves()
    return _sends


def _by_ourselves() -> Send:
    global _connections
    try:
        place = endpoint.place()
    except endpoint.NotConfigured as error:
        raise errors.WireError("NotConfigured", str(error), {}) from error
    _connections = Connections(
        place.url,
        connect_timeout_s=CONNECT_TIMEOUT_S,
        read_timeout_s=READ_TIMEOUT_S,
        ca_bundle=settings.environment().get("AWS_CA_BUNDLE", ""),
    )
    send_whole = _connections.send
    caller = codec.Caller(place, send_whole)

    def send(operation: str, body: Json) -> Json:
        nonlocal caller
        try:
            return caller(operation, body)
        except codec.Failed as error:
            meant = errors.meaning(error.response)
            if isinstance(meant, errors.NotAccepted):
                caller = codec.Caller(endpoint.place(), send_whole)
            raise meant from error
        except NoAnswer as error:
            raise errors.Unreachable("NoAnswer", str(error), {}) from error

    return send


def _by_botocore() -> Send:
    """Build botocore's client, which costs 100 ms. Its own retries are off: ours are for both."""
    import botocore.config
    import botocore.session

    config = botocore.config.Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=IDLE_MAX,
        parameter_validation=False,
        retries={"total_max_attempts": 1},
    )
    client = botocore.session.get_session().create_client("dynamodb", config=config)

    def send(operation: str, body: Json) -> Json:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import ConnectionError as NoConnection

        try:
            answer: Json = client._make_api_call(operation, body)
        except ClientError as error:
            raise errors.meaning(error.response) from error
        except (HTTPClientError, NoConnection) as error:
            raise errors.Unreachable(type(error).__name__, "no answer", {}) from error
        except BotoCoreError as error:
            raise errors.WireError(type(error).__name__, str(error), {}) from error
        return answer

    return send


def forget_connection() -> None:
    """Drop what sends; the next call makes it from the environment as it is then (tests and tools move endpoints)."""
    global _sends
    _sends = None
    if _connections is not None:
        _connections.close()


@contextmanager
def sent_by(send: Send) -> Iterator[None]:
    """Let `send` answer calls for the length of a `with` block: how a simulation models DynamoDB.

    It returns the answer, or raises one of the errors above.
    """
    global _sends
    before, _sends = _sends, send
    try:
        yield
    finally:
        _sends = before
