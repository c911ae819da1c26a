"""A model of DynamoDB: a call takes time, may be throttled by its partition, and may lose its response."""

from dataclasses import dataclass, field
from random import Random
from typing import Any
from zlib import crc32

from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import ConditionFailed, DynamoDBError, Throttled, Unreachable
from infra.simulate import assumptions, ceilings
from infra.simulate.assumptions import S
from infra.simulate.table import Table, key_of
from infra.simulate.timeline import Timeline

TIMEOUT_US = dynamodb.READ_TIMEOUT_S * S


@dataclass(slots=True)
class Partition:
    """A token bucket of write units that holds one second's worth.

    AWS keeps up to 300 s of unused capacity as burst capacity, but says that it doesn't lift a partition's maximum, and
    that it must not be relied on. So the simulation doesn't.
    """

    units: float = ceilings.PARTITION_WRITES_S
    filled_us: int = 0

    def takes(self, units: int, now_us: int) -> bool:
        """Consume units if they are available."""
        gained = (now_us - self.filled_us) * ceilings.PARTITION_WRITES_S / S
        self.units, self.filled_us = min(ceilings.PARTITION_WRITES_S, self.units + gained), now_us
        if self.units < units:
            return False
        self.units -= units
        return True


@dataclass(slots=True)
class Tally:
    """The consumption of the table."""

    calls: int = 0
    units: int = 0
    throttled: int = 0
    refused: int = 0
    lost: int = 0


@dataclass(slots=True)
class Placement:
    """The partition of a subject's and tier's counters: a random one, or one of their own."""

    partitions: int
    isolated: frozenset[str]

    def of(self, key: str) -> str:
        """Return the name of a partition."""
        return key if key in self.isolated else str(crc32(key.encode()) % self.partitions)


@dataclass(slots=True)
class DynamoDB:
    """The simulated service."""

    timeline: Timeline
    dice: Random
    table: Table
    placement: Placement
    unreachable: tuple[int, int] = (0, 0)
    """The start and end (µs) of an outage."""
    tally: Tally = field(default_factory=Tally)
    _partitions: dict[str, Partition] = field(default_factory=dict)

    def send(self, operation: str, request: dict[str, Any]) -> dynamodb.Json:
        """Handle one call after its duration; raises as the product's `dynamodb.sender()` does."""
        if operation != "UpdateItem":
            raise NotImplementedError(f"the simulation knows no {operation}")
        self.tally.calls += 1
        sent_us, trip_us = self.timeline.now_us, assumptions.ROUND_TRIP.draw_us(self.dice)
        self.timeline.wait_until(sent_us + trip_us // 2)
        fate = self.dice.random()
        if self._is_away() or fate < assumptions.LOST_BEFORE:
            raise self._no_answer(sent_us)
        if fate < assumptions.LOST_BEFORE + assumptions.FAULT:
            self.timeline.wait_until(sent_us + trip_us)
            raise Unreachable("InternalServerError", "a 5xx", {})
        answer = self._write(request)
        if fate > 1 - assumptions.LOST_AFTER:
            raise self._no_answer(sent_us)
        self.timeline.wait_until(sent_us + trip_us)
        if isinstance(answer, DynamoDBError):
            raise answer
        return answer

    def _write(self, request: dict[str, Any]) -> dynamodb.Json | DynamoDBError:
        partition = self._partitions.setdefault(self.placement.of(key_of(request)[0]), Partition())
        # One unit is required, and the item's further units are consumed afterwards.
        if not partition.takes(1, self.timeline.now_us):
            self.tally.throttled += 1
            return Throttled("ThrottlingException", "the partition's capacity is spent", {})
        units, answer = self.table.update(request)
        partition.units -= units - 1
        self.tally.units += units
        self.tally.refused += isinstance(answer, ConditionFailed)
        return answer

    def _is_away(self) -> bool:
        return self.unreachable[0] <= self.timeline.now_us < self.unreachable[1]

    def _no_answer(self, sent_us: int) -> Unreachable:
        self.tally.lost += 1
        self.timeline.wait_until(sent_us + TIMEOUT_US)
        return Unreachable("NoAnswer", "read timed out", {})
