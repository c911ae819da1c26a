"""Webhooks that are asked for under an Idempotency-Key: added, or rotated, once."""

from collections.abc import Callable

import pytest

from chalicelib.core import errors
from chalicelib.idempotency import record
from chalicelib.idempotency.record import Answer, Recording, Replayed
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import as_it_stands

URL = "https://example.com/hooks"


def recorded(account_id: str, content: bytes = b"") -> Recording[Endpoint]:
    """Return a request under the one key that there is."""
    once = record.once(
        account_id=account_id, lineage="x", place="POST /x", key="key", content=content, secret="lk_live_x"
    )
    return Recording(once, lambda made: Answer(201, {}, f"v{made.version}", made.id))


def adds(account_id: str, content: bytes = b"") -> Endpoint:
    """Add an endpoint."""
    return endpoints.create(account_id, url=URL, name="A", types=None, once=recorded(account_id, content))


def rotates(account_id: str, content: bytes = b"") -> Endpoint:
    """Rotate the secret of the one endpoint there is."""
    (endpoint,) = endpoints.of_account(account_id)
    return endpoints.rotate_secret(endpoint, recorded(account_id, content))


@pytest.mark.parametrize(("deed", "made", "version"), [(adds, 1, 1), (rotates, 1, 2)], ids=["added", "rotated"])
def test_repeated_request_is_answered_as_the_first_and_does_nothing(
    latchkey: TestApp, deed: Callable[..., Endpoint], made: int, version: int
) -> None:
    """Another request under its key is refused."""
    account_id = latchkey.account().id
    if deed is rotates:
        endpoints.create(account_id, url=URL, name="A", types=None)
    first = deed(account_id)
    with pytest.raises(Replayed) as replayed:
        deed(account_id)
    assert (replayed.value.answer.body, replayed.value.answer.made) == (f"v{version}", first.id)
    with pytest.raises(errors.IdempotencyKeyReused):
        deed(account_id, b"other")
    (stands,) = endpoints.of_account(account_id)
    assert (stands.id, stands.version) == (first.id, version)


def test_refusal_for_another_reason_is_told_as_such(latchkey: TestApp) -> None:
    """With a key or without: ten endpoints are enough, and a secret is rotated once a day."""
    account_id = latchkey.account().id
    endpoint = endpoints.create(account_id, url=URL, name="A", types=None)
    endpoints.rotate_secret(endpoint)
    with pytest.raises(errors.Conflict, match="rotated within the last 24 hours"):
        endpoints.rotate_secret(as_it_stands(endpoint), recorded(account_id))
    for _ in range(9):
        endpoints.create(account_id, url=URL, name="A", types=None)
    with pytest.raises(errors.Conflict, match="at most 10 webhooks"):
        adds(account_id)
