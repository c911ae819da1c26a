"""Requests that must not happen twice: each is recorded under its Idempotency-Key with what came of it, for 24 hours.

The record is one write more of the transaction that makes something, so it stands exactly when that does, and of any
number at once one wins; the others read its answer from their refusal. What has effects outside of the database claims
the record first. An answer is sealed under the credential that asked, since it may hold a secret.
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
from chalicelib.core.root_key import stage_key
from chalicelib.idempotency.tables import Repeat

KEPT_S = clock.DAY_S
RUNS_S = 60
"""A claim is over after so long: whoever held it was killed, since no function runs longer for a request."""
ANSWER_BYTES_MAX = 100_000
"""DynamoDB takes 400 KB an item; of ours only a delivery with twenty long answers comes near this."""
_PURPOSE = "latchkey answer under an Idempotency-Key, version 1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, to the byte, but for the headers that belong to one request: limits, ids."""

    status: int
    headers: dict[str, str]
    body: str = field(repr=False)
    made: str = ""
    """The id of what was made."""


class Replayed(Exception):
    """The request was made before: this is its answer."""

    def __init__(self, answer: Answer) -> None:
        """Carry the answer."""
        super().__init__("answered before")
        self.answer = answer


@dataclass(slots=True)
class Once:
    """A request under an Idempotency-Key."""

    account_id: str
    digest: str
    fingerprint: str
    secret: str = field(repr=False)
    """The credential that it came with."""
    written: Answer | None = None
    """The answer as it was recorded, or is about to be."""
    claim: str = ""

    def add_to(self, write: models.Transaction, answer: Answer) -> None:
        """Add to a transaction: the request has succeeded, with this answer. The condition decides between two."""
        self.written = answer
        write.save(self._record(answer), condition=_is_free(), return_values="ALL_OLD")

    def explain(self, error: TransactWriteError) -> None:
        """Raise what a refused transaction that this was added to is to be answered, if this refused it."""
        stood = models.refused_write(error, Repeat(self.digest))
        if stood:
            self._judge(Repeat.from_raw_data(stood))

    def look(self) -> None:
        """Raise what the request is to be answered, if it was made before."""
        stood = Repeat.found(self.digest)
        if stood is not None and stood.expires_at > clock.now_ms():
            self._judge(stood)

    def take(self) -> None:
        """Claim the request for this process; raise what it is to be answered when it is, or was, made elsewhere."""
        self.claim = randomness.base62(20)
        record = self._empty(RUNS_S)
        record.claim = self.claim
        try:
            record.save(condition=_is_free())
        except PynamoDBException as error:
            if not models.refused(error):
                raise
            self.look()
            # It was let go in between.
            raise errors.RequestInProgress from None

    def keep(self, answer: Answer) -> None:
        """Record the answer of what was claimed, or the one that differs from what a transaction has recorded."""
        self.written = answer
        ours = Repeat.claim == self.claim if self.claim else Repeat.fingerprint == self.fingerprint
        with models.may_be_refused():
            self._record(answer).save(condition=ours | _is_free())

    def let_go(self) -> None:
        """Give a claim up: the request failed, and may be made again under the same key."""
        with models.may_be_refused():
            Repeat(self.digest).update(actions=[Repeat.expires_at.set(0)], condition=Repeat.claim == self.claim)

    def _record(self, answer: Answer) -> Repeat:
        record = self._empty(KEPT_S)
        record.made = answer.made or None
        plain = json.dumps(asdict(answer)).encode()
        if len(plain) <= ANSWER_BYTES_MAX:
            record.sealed = sealed.seal(plain, self.secret, purpose=_PURPOSE, bound_to=self.digest)
        return record

    def _empty(self, lives_s: int) -> Repeat:
        expires_at = clock.now_ms() + lives_s * 1000
        return Repeat(
            self.digest,
            account_id=self.account_id,
            fingerprint=self.fingerprint,
            expires_at=expires_at,
            dies_at=expires_at // 1000 + clock.HOUR_S,
        )

    def _judge(self, stood: Repeat) -> NoReturn:
        if not hmac.compare_digest(stood.fingerprint, self.fingerprint):
            raise errors.IdempotencyKeyReused
        if stood.claim is not None:
            raise errors.RequestInProgress
        made = f" and made {stood.made}" if stood.made else ""
        if stood.sealed is None:
            raise errors.Conflict(f"This request succeeded before{made}. Its answer was too long to be kept.")
        plain = sealed.opened(stood.sealed, self.secret, purpose=_PURPOSE, bound_to=self.digest)
        if plain is None:
            raise errors.Conflict(
                f"This request succeeded before{made}. Its answer is kept for the credential that sent it only."
            )
        raise Replayed(Answer(**json.loads(plain)))


@dataclass(frozen=True, slots=True)
class Recording(Generic[T]):
    """A request under an Idempotency-Key on its way to the transaction that makes a T."""

    once: Once
    shown: Callable[[T], Answer]
    """How the answer says what was made."""

    def add_to(self, write: models.Transaction, made: T) -> None:
        """Add to the transaction that makes it: the request has succeeded, and is answered like this."""
        self.once.add_to(write, self.shown(made))

    def explain(self, error: TransactWriteError) -> None:
        """Raise what the request is to be answered, if it was its record that refused the transaction."""
        self.once.explain(error)


def once(*, account_id: str, lineage: str, place: str, key: str, content: bytes, secret: str) -> Once:
    """Return a request to `place` under an Idempotency-Key, by a credential of a `lineage`.

    Whoever reads the table could try bodies that are easily guessed, so their fingerprint is keyed with the stage's
    key. Raises NoStageKey.
    """
    digest = secrets.digest(json.dumps(["idempotency", account_id, lineage, place, key]))
    fingerprint = hmac.new(stage_key("idempotency fingerprint"), content, hashlib.sha256).hexdigest()
    return Once(account_id, digest, fingerprint, secret)


def _is_free() -> Condition:
    """Nothing is recorded, or what is has ended: DynamoDB deletes late."""
    condition: Condition = Repeat.digest.does_not_exist() | (Repeat.expires_at <= clock.now_ms())
    return condition
