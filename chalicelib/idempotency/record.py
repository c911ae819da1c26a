"""Idempotent requests. The response to each is recorded under its Idempotency-Key for 24 hours.

The transaction that creates a resource also stores the record, so the record exists exactly if the resource does. Of
concurrent requests with the same key one succeeds. The writes of the others fail, because the record exists, and these
requests return the response from the record. A request with effects outside the database claims the record first. A
response may contain a secret, so it is encrypted with a key from the caller's credential.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Generic, NoReturn, TypeVar

from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.core import clock, errors, randomness, sealed, secrets
from chalicelib.core.dynamodb import models
from chalicelib.core.root_key import derive_secret
from chalicelib.idempotency.tables import IdempotencyRecord

KEPT_S = clock.DAY_S
CLAIM_TTL_S = 60
"""How long a claim is valid. No function runs longer for one request, so an older claim is from a function that was
killed.
"""
ANSWER_BYTES_MAX = 100_000
"""The maximum size of a stored response in bytes. DynamoDB limits an item to 400 KB. Only the response about a webhook
delivery with twenty long responses comes close to the maximum.
"""
_PURPOSE = "latchkey answer under an Idempotency-Key, version 1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response.

    It is byte-for-byte identical to the original, except for the rate-limit and request-id headers, which each request
    gets anew.
    """

    status: int
    headers: dict[str, str]
    body: str = field(repr=False)
    made: str = ""
    """The id of the created resource."""


class Replayed(Exception):
    """The same request has succeeded before. The exception contains the response to it."""

    def __init__(self, answer: StoredResponse) -> None:
        """Store the response."""
        super().__init__("already succeeded")
        self.answer = answer


@dataclass(slots=True)
class IdempotentRequest:
    """A request with an Idempotency-Key."""

    account_id: str
    digest: str
    fingerprint: str
    secret: str = field(repr=False)
    """The secret of the credential with which the request was sent."""
    written: StoredResponse | None = None
    """The response that was recorded, or that the transaction will record."""
    claim: str = ""

    def add_to(self, write: models.Transaction, response: StoredResponse) -> None:
        """Add the record of a successful request to a transaction.

        If several transactions with the same key run concurrently, the condition of the record holds for only one of
        them.
        """
        self.written = response
        write.save(self._record(response), condition=_is_free(), return_values="ALL_OLD")

    def explain(self, error: TransactWriteError) -> None:
        """Raise Replayed, or the error that says why no response can be replayed, if the transaction failed because of
        the record.
        """
        existing = models.find_failed_write(error, IdempotencyRecord(self.digest))
        if existing:
            self._raise_outcome(IdempotencyRecord.from_raw_data(existing))

    def raise_if_recorded(self) -> None:
        """Raise Replayed, or the error that says why no response can be replayed, if the request is recorded."""
        existing = IdempotencyRecord.found(self.digest)
        if existing is not None and existing.expires_at > clock.now_ms():
            self._raise_outcome(existing)

    def acquire(self) -> None:
        """Claim the request for this process.

        Raises Replayed if the request has succeeded, and RequestInProgress if another process is processing it.
        """
        self.claim = randomness.base62(20)
        record = self._new_record(CLAIM_TTL_S)
        record.claim = self.claim
        try:
            record.save(condition=_is_free())
        except PynamoDBException as error:
            if not models.is_condition_failure(error):
                raise
            self.raise_if_recorded()
            # Between the write and the read, the other process released its claim.
            raise errors.RequestInProgress from None

    def store(self, response: StoredResponse) -> None:
        """Store the response of a claimed request.

        Also replaces a response that this request's transaction has stored.
        """
        self.written = response
        own = IdempotencyRecord.claim == self.claim if self.claim else IdempotencyRecord.fingerprint == self.fingerprint
        with models.ignore_condition_failure():
            self._record(response).save(condition=own | _is_free())

    def release(self) -> None:
        """Release the claim because the request failed. It can then be repeated with the same key."""
        with models.ignore_condition_failure():
            IdempotencyRecord(self.digest).update(
                actions=[IdempotencyRecord.expires_at.set(0)], condition=IdempotencyRecord.claim == self.claim
            )

    def _record(self, response: StoredResponse) -> IdempotencyRecord:
        record = self._new_record(KEPT_S)
        record.made = response.made or None
        plain = json.dumps(asdict(response)).encode()
        if len(plain) <= ANSWER_BYTES_MAX:
            record.sealed = sealed.seal(plain, self.secret, purpose=_PURPOSE, bound_to=self.digest)
        return record

    def _new_record(self, ttl_s: int) -> IdempotencyRecord:
        expires_at = clock.now_ms() + ttl_s * 1000
        return IdempotencyRecord(
            self.digest,
            account_id=self.account_id,
            fingerprint=self.fingerprint,
            expires_at=expires_at,
            dies_at=expires_at // 1000 + clock.HOUR_S,
        )

    def _raise_outcome(self, existing: IdempotencyRecord) -> NoReturn:
        if not hmac.compare_digest(existing.fingerprint, self.fingerprint):
            raise errors.IdempotencyKeyReused
        if existing.claim is not None:
            raise errors.RequestInProgress
        made = f" and created {existing.made}" if existing.made else ""
        if existing.sealed is None:
            raise errors.Conflict(f"This request already succeeded{made}. Its response was too long to be stored.")
        plain = sealed.unseal(existing.sealed, self.secret, purpose=_PURPOSE, bound_to=self.digest)
        if plain is None:
            raise errors.Conflict(
                f"This request already succeeded{made}. Its response is only available to the credential that sent it."
            )
        raise Replayed(StoredResponse(**json.loads(plain)))


@dataclass(frozen=True, slots=True)
class Recording(Generic[T]):
    """An idempotent request, and a function that renders its response from the created resource of type T."""

    once: IdempotentRequest
    render: Callable[[T], StoredResponse]
    """A function that renders the response from the created resource."""

    def add_to(self, write: models.Transaction, made: T) -> None:
        """Add the record of the request, including its response, to the transaction that creates the resource."""
        self.once.add_to(write, self.render(made))

    def explain(self, error: TransactWriteError) -> None:
        """Raise Replayed, or the error that says why no response can be replayed, if the transaction failed because of
        the record.
        """
        self.once.explain(error)


def once(*, account_id: str, lineage: str, place: str, key: str, content: bytes, secret: str) -> IdempotentRequest:
    """Return the idempotent request to the route `place` with this Idempotency-Key, from a credential of this
    `lineage`.

    The request's fingerprint is an HMAC of `content`, with a secret that is derived from the root key, so that a copy
    of the table can't be used to guess bodies. Raises RootKeyUnavailable if the root key can't be read.
    """
    digest = secrets.digest(json.dumps(["idempotency", account_id, lineage, place, key]))
    fingerprint = hmac.new(derive_secret("idempotency fingerprint"), content, hashlib.sha256).hexdigest()
    return IdempotentRequest(account_id, digest, fingerprint, secret)


def _is_free() -> Condition:
    """Return the condition that there is no valid record.

    An expired one may exist, because DynamoDB deletes items late.
    """
    condition: Condition = IdempotencyRecord.digest.does_not_exist() | (IdempotencyRecord.expires_at <= clock.now_ms())
    return condition
