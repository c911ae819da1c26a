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

    The simulation ignores burst capacity (up to 300 s of unused capacity): AWS's documentation says not to rely on it,
    and that it doesn't raise a partition's maximum.
    """

    units: float = ceilings.PARTITION_WRITES_S
    filled_us: int = 0

    def consume(self, units: int, now_us: int) -> bool:
        """Consume units if they are available; return whether they were."""
        gained = (now_us - self.filled_us) * ceilings.PARTITION_WRITES_S / S
        self.units, self.filled_us = min(ceilings.PARTITION_WRITES_S, self.units + gained), now_us
        if self.units < units:
            return False
        self.units -= units
        return True


@dataclass(slots=True)
class Tally:
    """Counts of the calls to the table and of their results."""

    calls: int = 0
    units: int = 0
    throttled: int = 0
    refused: int = 0
    lost: int = 0


@dataclass(slots=True)
class Placement:
    """The assignment of counters to partitions: by hash, or a separate partition for isolated accounts."""

    partitions: int
    isolated: frozenset[str]

    def of(self, key: str) -> str:
        """Return the name of the partition that holds a partition key."""
        return key if key in self.isolated else str(crc32(key.encode()) % self.partitions)


@dataclass(slots=True)
class DynamoDB:
    """The simulated DynamoDB service."""

    timeline: Timeline
    dice: Random
    table: Table
    placement: Placement
    unreachable: tuple[int, int] = (0, 0)
    """The start and end (µs) of an outage."""
    tally: Tally = field(default_factory=Tally)
    _partitions: dict[str, Partition] = field(default_factory=dict)

    def send(self, operation: str, request: dict[str, Any]) -> dynamodb.Json:
        """Handle one call, which takes simulated time; raise the same exceptions as the product's DynamoDB client."""
        if operation != "UpdateItem":
            raise NotImplementedError(f"the simulation doesn't support {operation}")
        self.tally.calls += 1
        sent_us, trip_us = self.timeline.now_us, assumptions.ROUND_TRIP.draw_us(self.dice)
        self.timeline.wait_until(sent_us + trip_us // 2)
        fate = self.dice.random()
        if self._is_unreachable() or fate < assumptions.LOST_BEFORE:
            raise self._time_out(sent_us)
        if fate < assumptions.LOST_BEFORE + assumptions.FAULT:
            self.timeline.wait_until(sent_us + trip_us)
            raise Unreachable("InternalServerError", "a 5xx", {})
        response = self._write(request)
        if fate > 1 - assumptions.LOST_AFTER:
            raise self._time_out(sent_us)
        self.timeline.wait_until(sent_us + trip_us)
        if isinstance(response, DynamoDBError):
            raise response
        return response

    def _write(self, request: dict[str, Any]) -> dynamodb.Json | DynamoDBError:
        partition = self._partitions.setdefault(self.placement.of(key_of(request)[0]), Partition())
        # A write needs one available unit; the further units of a larger item are deducted afterwards.
        if not partition.consume(1, self.timeline.now_us):
            self.tally.throttled += 1
            return Throttled("ThrottlingException", "the partition's capacity is spent", {})
        units, response = self.table.update(request)
        partition.units -= units - 1
        self.tally.units += units
        self.tally.refused += isinstance(response, ConditionFailed)
        return response

    def _is_unreachable(self) -> bool:
        return self.unreachable[0] <= self.timeline.now_us < self.unreachable[1]

    def _time_out(self, sent_us: int) -> Unreachable:
        self.tally.lost += 1
        self.timeline.wait_until(sent_us + TIMEOUT_US)
        return Unreachable("NoAnswer", "read timed out", {})
