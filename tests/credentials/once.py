"""A request with an Idempotency-Key header that creates an API key."""

from chalicelib.core import secrets
from chalicelib.credentials.issue import Issued
from chalicelib.idempotency.record import IdempotentRequest, Recording, StoredResponse


def once(creator: Issued, name: str = "order 1") -> Recording[Issued]:
    """Return a request of `creator` with an Idempotency-Key.

    A second call with equal arguments returns a retry of the request.
    """
    request = IdempotentRequest(creator.key.account_id, secrets.digest(name), "the same body", creator.secret)
    return Recording(request, lambda made: StoredResponse(201, {}, made.key.id, made.key.id))
