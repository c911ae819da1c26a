"""A request under an Idempotency-Key that makes a key."""

from chalicelib.core import secrets
from chalicelib.credentials.issue import Issued
from chalicelib.idempotency.record import Answer, Once, Recording


def once(maker: Issued, name: str = "order 1") -> Recording[Issued]:
    """Return such a request of the maker's, new at each call, as two that are sent are."""
    request = Once(maker.key.account_id, secrets.digest(name), "the same body", maker.secret)
    return Recording(request, lambda made: Answer(201, {}, made.key.id, made.key.id))
