"""Calculate the monthly cost of stored items and of their point-in-time recovery."""

from dataclasses import dataclass

from infra.costs.prices import GB, MILLION, PRICES


@dataclass(frozen=True, slots=True)
class Stored:
    """The size of one record in tables and in indexes, as DynamoDB bills it."""

    name: str
    tables: tuple[str, ...]
    table_bytes: int
    index_bytes: int = 0
    is_recoverable: bool = True

    @property
    def storage(self) -> float:
        """Return the monthly storage cost of a million records."""
        price: float = PRICES["dynamodb_per_gb_month"]
        return price * (self.table_bytes + self.index_bytes) * MILLION / GB

    @property
    def recovery(self) -> float:
        """Return the monthly cost of point-in-time recovery for a million records; indexes aren't charged."""
        price: float = PRICES["dynamodb_recovery_per_gb_month"]
        return price * self.table_bytes * MILLION / GB * self.is_recoverable


STORED = {
    "account": Stored("accounts, each with one user", ("accounts", "users", "members", "emails"), 895, 787),
    "key": Stored("API keys", ("credentials",), 330, 330),
    "grant": Stored(
        "authorized applications: consent, grant, code and first tokens",
        ("consents", "grants", "tickets", "credentials"),
        1_790,
        1_206,
    ),
    "refresh": Stored(
        "refreshes: an access token, kept for 30 days after its expiry, and the old refresh token, kept until the grant"
        " ends",
        ("tickets", "credentials"),
        980,
        397,
    ),
    "client": Stored("client credentials tokens, kept for 30 days after their expiry", ("credentials",), 365, 365),
    "event": Stored("events, kept for 90 days", ("events",), 266),
    "delivery": Stored("webhook deliveries, kept for 90 days", ("deliveries",), 562),
    "hour": Stored(
        "counters: hours in which an account or a client address sent requests", ("windows",), 208, is_recoverable=False
    ),
}
