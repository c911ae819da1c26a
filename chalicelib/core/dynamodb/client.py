"""The only module that calls DynamoDB. It limits retries and raises typed errors.

`codec` signs and sends the calls, or botocore does if the settings say so. The number of retries depends on the call: a
write that admits a request must return quickly, while a write that revokes a key may take longer.
"""

import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import codec, endpoint, errors
from chalicelib.core.dynamodb.connection_pool import IDLE_MAX, ConnectionPool, NoResponse

Json = dict[str, Any]
Send = Callable[[str, Json], Json]
BATCH_MAX = 100
"""The maximum number of items that one BatchGetItem reads."""
WRITES_MAX = 25
"""The maximum number of items that one BatchWriteItem writes."""
BATCHES_MAX = 8
"""The maximum number of calls for one batch, including the calls that repeat its unprocessed keys or writes."""
CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 1
BACKOFF_S = 0.02


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The maximum number of times that one call is tried, by type of error."""

    unavailable: int
    throttled: int
    conflict: int
    not_accepted: int = 2

    def tries(self, error: errors.DynamoDBError) -> int:
        """Return the maximum number of times that a call is tried if it fails with `error`."""
        if isinstance(error, errors.Throttled):
            return self.throttled
        if isinstance(error, errors.CredentialsRejected):
            return self.not_accepted
        return self.conflict if isinstance(error, errors.Contended) else self.unavailable


FAIL_FAST = RetryPolicy(unavailable=2, throttled=1, conflict=6)
"""The policy for admissions and other calls that must not delay a response. A throttled call isn't retried: if a
counter is throttled, the request is rejected.
"""
PERSISTENT = RetryPolicy(unavailable=3, throttled=6, conflict=12)
"""The policy for all other calls. Their callers wait while the calls are retried."""


def call(operation: str, request: Mapping[str, Any], policy: RetryPolicy = PERSISTENT) -> Json:
    """Send one DynamoDB operation and return its response.

    Every try of a transaction contains the same idempotency token, so that the transaction takes effect only once even
    if a response is lost. Raises ConditionFailed, Throttled, Contended, CredentialsRejected or Unreachable after the
    last try, and DynamoDBError for any other error.
    """
    body = dict(request)
    if operation == "TransactWriteItems":
        body.setdefault("ClientRequestToken", secrets.token_hex(16))
    failed: list[type[errors.DynamoDBError]] = []
    while True:
        try:
            with telemetry.dynamodb_call(operation, body):
                return sender()(operation, body)
        except (errors.Throttled, errors.Contended, errors.CredentialsRejected, errors.Unreachable) as error:
            failed.append(type(error))
            if failed.count(type(error)) >= policy.tries(error):
                raise
        _back_off(len(failed))


def batch_get(keys: Mapping[str, Json]) -> dict[str, Json]:
    """Read one item from each of several tables with one consistent read; return those that exist, by table."""
    requested: Json = {table: {"Keys": [key], "ConsistentRead": True} for table, key in keys.items()}
    found: dict[str, Json] = {}
    for responses in _batches(requested):
        found |= {table: items[0] for table, items in responses.items() if items}
    return found


def batch_get_table(table: str, keys: list[Json], *, consistent: bool) -> list[Json]:
    """Return the items of one table that have these keys, in no particular order. Missing items are omitted.

    Each call reads up to 100 items.
    """
    return [
        item
        for first in range(0, len(keys), BATCH_MAX)
        for responses in _batches({table: {"Keys": keys[first : first + BATCH_MAX], "ConsistentRead": consistent}})
        for item in responses.get(table, [])
    ]


def batch_write(table: str, writes: list[Json]) -> None:
    """Make any number of PutRequests and DeleteRequests to one table, 25 in a call, without conditions.

    Raises Throttled if writes are still unprocessed after `BATCHES_MAX` calls. Some writes may then have been made.
    """
    for first in range(0, len(writes), WRITES_MAX):
        requested: Json = {table: writes[first : first + WRITES_MAX]}
        for made in range(1, BATCHES_MAX + 1):
            response = call("BatchWriteItem", {"RequestItems": requested})
            requested = response.get("UnprocessedItems") or {}
            if not requested:
                break
            if made == BATCHES_MAX:
                raise errors.Throttled("ProvisionedThroughputExceededException", "UnprocessedItems remain", response)
            _back_off(made)


def _batches(requested: Json) -> Iterator[dict[str, list[Json]]]:
    """Yield the responses of batch reads. Raises Throttled if keys are still unprocessed after `BATCHES_MAX` calls."""
    if not requested:
        return
    for made in range(1, BATCHES_MAX + 1):
        response = call("BatchGetItem", {"RequestItems": requested})
        yield response["Responses"]
        # DynamoDB returns unprocessed keys when it lacks capacity, or when the items exceed 16 MB.
        requested = response.get("UnprocessedKeys") or {}
        if not requested:
            return
        if made < BATCHES_MAX:
            _back_off(made)
    raise errors.Throttled("ProvisionedThroughputExceededException", "UnprocessedKeys remain", response)


def _back_off(times: int) -> None:
    clock.pause(random.uniform(0, BACKOFF_S * 2 ** min(times, 5)))  # noqa: S311 - jitter, not a secret


_current_sender: Send | None = None
_connections: ConnectionPool | None = None


def sender() -> Send:
    """Return the function that sends calls. It is created once per process, at the first call."""
    global _current_sender
    if _current_sender is None:
        _current_sender = _create_botocore_sender() if settings.current().wire == "botocore" else _create_own_sender()
    return _current_sender


def _create_own_sender() -> Send:
    global _connections
    try:
        target = endpoint.find_endpoint()
    except endpoint.NotConfigured as error:
        raise errors.DynamoDBError("NotConfigured", str(error), {}) from error
    _connections = ConnectionPool(
        target.url,
        connect_timeout_s=CONNECT_TIMEOUT_S,
        read_timeout_s=READ_TIMEOUT_S,
        ca_bundle=settings.environment().get("AWS_CA_BUNDLE", ""),
    )
    send_request = _connections.send
    caller = codec.Caller(target, send_request)

    def send(operation: str, body: Json) -> Json:
        nonlocal caller
        try:
            return caller(operation, body)
        except codec.Failed as error:
            typed = errors.classify_error(error.response)
            if isinstance(typed, errors.CredentialsRejected):
                caller = codec.Caller(endpoint.find_endpoint(), send_request)
            raise typed from error
        except NoResponse as error:
            raise errors.Unreachable("NoAnswer", str(error), {}) from error

    return send


def _create_botocore_sender() -> Send:
    """Create botocore's client, which takes 100 ms. Its own retries are disabled, because `call` retries."""
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
        from botocore.exceptions import ConnectionError as BotocoreConnectionError

        try:
            response: Json = client._make_api_call(operation, body)
        except ClientError as error:
            raise errors.classify_error(error.response) from error
        except (HTTPClientError, BotocoreConnectionError) as error:
            raise errors.Unreachable(type(error).__name__, "no response", {}) from error
        except BotoCoreError as error:
            raise errors.DynamoDBError(type(error).__name__, str(error), {}) from error
        return response

    return send


def reset_connections() -> None:
    """Close all connections. The next call reads the environment again, because tests and tools change the endpoint."""
    global _current_sender
    _current_sender = None
    if _connections is not None:
        _connections.close()


@contextmanager
def use_sender(send: Send) -> Iterator[None]:
    """Send calls to the function `send` within a `with` block, to simulate DynamoDB.

    `send` returns a response, or raises one of the errors that `call` raises.
    """
    global _current_sender
    before, _current_sender = _current_sender, send
    try:
        yield
    finally:
        _current_sender = before
