"""Creating and rotating webhooks with an Idempotency-Key."""

from collections.abc import Callable

import pytest

from chalicelib.core import errors
from chalicelib.idempotency import record
from chalicelib.idempotency.record import Recording, Replayed, StoredResponse
from chalicelib.webhooks import endpoints
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.webhooks.told import reload

URL = "https://example.com/hooks"


def build_recording(account_id: str, content: bytes = b"") -> Recording[Endpoint]:
    """Return the idempotency recording of a request. All requests have the same Idempotency-Key."""
    once = record.once(
        account_id=account_id, lineage="x", place="POST /x", key="key", content=content, secret="lk_live_x"
    )
    return Recording(once, lambda made: StoredResponse(201, {}, f"v{made.version}", made.id))


def create(account_id: str, content: bytes = b"") -> Endpoint:
    """Create an endpoint with an Idempotency-Key."""
    return endpoints.create(account_id, url=URL, name="A", types=None, once=build_recording(account_id, content))


def rotate(account_id: str, content: bytes = b"") -> Endpoint:
    """Rotate the secret of the only endpoint with an Idempotency-Key."""
    (endpoint,) = endpoints.of_account(account_id)
    return endpoints.rotate_secret(endpoint, build_recording(account_id, content))


@pytest.mark.parametrize(("deed", "made", "version"), [(create, 1, 1), (rotate, 1, 2)], ids=["added", "rotated"])
def test_repeated_request_gets_first_response_and_changes_nothing(
    latchkey: TestApp, deed: Callable[..., Endpoint], made: int, version: int
) -> None:
    """A repeated request gets the first response; a different request with the same key is rejected."""
    account_id = latchkey.account().id
    if deed is rotate:
        endpoints.create(account_id, url=URL, name="A", types=None)
    first = deed(account_id)
    with pytest.raises(Replayed) as replayed:
        deed(account_id)
    assert (replayed.value.answer.body, replayed.value.answer.made) == (f"v{version}", first.id)
    with pytest.raises(errors.IdempotencyKeyReused):
        deed(account_id, b"other")
    (current,) = endpoints.of_account(account_id)
    assert (current.id, current.version) == (first.id, version)


def test_other_conflicts_keep_their_message(latchkey: TestApp) -> None:
    """Errors for too many endpoints and for a second rotation in a day are the same with an Idempotency-Key as without
    one.
    """
    account_id = latchkey.account().id
    endpoint = endpoints.create(account_id, url=URL, name="A", types=None)
    endpoints.rotate_secret(endpoint)
    with pytest.raises(errors.Conflict, match="rotated within the last 24 hours"):
        endpoints.rotate_secret(reload(endpoint), build_recording(account_id))
    for _ in range(9):
        endpoints.create(account_id, url=URL, name="A", types=None)
    with pytest.raises(errors.Conflict, match="at most 10 webhooks"):
        create(account_id)
