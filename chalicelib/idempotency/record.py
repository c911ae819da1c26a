"""Idempotent requests: each is recorded under its Idempotency-Key with its response, for 24 hours.

The record is part of the transaction that creates a resource, so it exists exactly if the resource does. Of concurrent
requests one succeeds, and the others read its response from the failed condition. A request with effects outside the
database claims the record first. A response may contain a secret, so it is encrypted with a key from the caller's
credential.
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
"""How long a claim is valid. No function runs longer for a request, so an older claim is from a killed function."""
ANSWER_BYTES_MAX = 100_000
"""The maximum size of a stored response: DynamoDB's limit for an item is 400 KB. Only a delivery with twenty long
responses comes close.
"""
_PURPOSE = "latchkey answer under an Idempotency-Key, version 1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response, equal to the original to the byte except for headers of a single request: limits, ids."""

    status: int
    headers: dict[str, str]
    body: str = field(repr=False)
    made: str = ""
    """The id of the created resource."""


class Replayed(Exception):
    """The same request has already succeeded. The exception contains its response."""

    def __init__(self, answer: StoredResponse) -> None:
        """Keep the response."""
        super().__init__("already succeeded")
        self.answer = answer


@dataclass(slots=True)
class IdempotentRequest:
    """A request with an Idempotency-Key."""

    account_id: str
    digest: str
    fingerprint: str
    secret: str = field(repr=False)
    """The credential with which the request was sent."""
    written: StoredResponse | None = None
    """The response as recorded, or as it is about to be."""
    claim: str = ""

    def add_to(self, write: models.Transaction, response: StoredResponse) -> None:
        """Add the record of a successful request to a transaction.

        Of concurrent requests, only one fulfils the condition of the record.
        """
        self.written = response
        write.save(self._record(response), condition=_is_free(), return_values="ALL_OLD")

    def explain(self, error: TransactWriteError) -> None:
        """Raise Replayed, or the reason why the request can't be repeated, if its record made the transaction fail."""
        existing = models.find_failed_write(error, IdempotencyRecord(self.digest))
        if existing:
            self._raise_outcome(IdempotencyRecord.from_raw_data(existing))

    def raise_if_recorded(self) -> None:
        """Raise Replayed, or the reason why the request can't be repeated, if the request is recorded."""
        existing = IdempotencyRecord.found(self.digest)
        if existing is not None and existing.expires_at > clock.now_ms():
            self._raise_outcome(existing)

    def acquire(self) -> None:
        """Claim the request for this process.

        Raises Replayed if it has succeeded, RequestInProgress if another process runs it.
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
            # The claim was released between the write and the read.
            raise errors.RequestInProgress from None

    def store(self, response: StoredResponse) -> None:
        """Store the response of a claimed request, or a response that differs from the one that its transaction
        stored.
        """
        self.written = response
        own = IdempotencyRecord.claim == self.claim if self.claim else IdempotencyRecord.fingerprint == self.fingerprint
        with models.ignore_condition_failure():
            self._record(response).save(condition=own | _is_free())

    def release(self) -> None:
        """Release a claim after the request failed, so that it may be repeated with the same key."""
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
    """An idempotent request, for the transaction that creates a T."""

    once: IdempotentRequest
    render: Callable[[T], StoredResponse]
    """A function that builds the response from the created resource."""

    def add_to(self, write: models.Transaction, made: T) -> None:
        """Add the record of the request, with its response, to the transaction that creates the resource."""
        self.once.add_to(write, self.render(made))

    def explain(self, error: TransactWriteError) -> None:
        """Raise Replayed, or the reason why the request can't be repeated, if its record made the transaction fail."""
        self.once.explain(error)


def once(*, account_id: str, lineage: str, place: str, key: str, content: bytes, secret: str) -> IdempotentRequest:
    """Return the request to `place` with an Idempotency-Key, by a credential of a `lineage`.

    The fingerprint is keyed with a secret derived from the root key, so that a copy of the table can't be used to guess
    bodies. Raises RootKeyUnavailable.
    """
    digest = secrets.digest(json.dumps(["idempotency", account_id, lineage, place, key]))
    fingerprint = hmac.new(derive_secret("idempotency fingerprint"), content, hashlib.sha256).hexdigest()
    return IdempotentRequest(account_id, digest, fingerprint, secret)


def _is_free() -> Condition:
    """Return the condition that no valid record exists. Expired ones may exist, because DynamoDB deletes them late."""
    condition: Condition = IdempotencyRecord.digest.does_not_exist() | (IdempotencyRecord.expires_at <= clock.now_ms())
    return condition
