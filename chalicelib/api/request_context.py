"""One request on its way to its response, as views and the middleware see it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from chalice.app import Request, Response

from chalicelib.api import client_address, responses
from chalicelib.core import clock
from chalicelib.credentials.principal import Principal
from chalicelib.limits.admission import Refused, admit, recall
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import ANONYMOUS, Tier

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Once, Recording

T = TypeVar("T")
Routes = Mapping[str, Mapping[str, Any]]
"""Chalice's own table: entries by path and method."""


@dataclass(slots=True)
class RequestContext:
    """One request on its way to an answer. A view takes it as its first argument."""

    request: Request
    started_ns: int
    routes: Routes = field(default_factory=dict, repr=False)
    """Every route of the app: what the reference is made from."""
    caller: Principal | None = None
    left: Allowance | None = None
    once: "Once | None" = field(default=None, repr=False)
    """The request under its Idempotency-Key, where it has one and its route heeds it."""
    counted: dict[str, int] = field(default_factory=dict)
    """What happened on its way and is counted: metrics by name, for its line in the log."""

    @property
    def principal(self) -> Principal:
        """Return who calls; only routes with scopes may ask."""
        if self.caller is None:
            raise LookupError(f"{self.request.path} is public: nobody was verified.")
        return self.caller

    @property
    def parameters(self) -> dict[str, str]:
        """Return the query; of a repeated parameter the last counts."""
        return dict(self.request.query_params or {})

    @property
    def route(self) -> str:
        """Return the route it is counted and recorded as, by method and pattern: a HEAD is a GET without its body."""
        method = "GET" if self.is_head else self.request.method
        return f"{method} {self.request.path}"

    @property
    def is_head(self) -> bool:
        """Tell whether only the headers are asked for; then nothing may be spent or issued that a GET would."""
        return bool(self.request.method == "HEAD")

    @property
    def took_ms(self) -> int:
        """Return how long it has been on its way."""
        return (clock.elapsed_ns() - self.started_ns) // 1_000_000

    @property
    def id(self) -> str:
        """Return the gateway's id of this request."""
        return str(self.request.context.get("requestId", ""))

    def recorded(self, shown: Callable[[T], Response]) -> "Recording[T] | None":
        """Return what the transaction that makes a T is to record, whose answer `shown` gives; None without a key."""
        if self.once is None:
            return None
        from chalicelib.api import idempotency
        from chalicelib.idempotency.record import Recording

        return Recording(self.once, lambda made: idempotency.kept(responses.of(shown(made))))

    def admit_anonymous(self) -> None:
        """Count this request by where it comes from; raise Refused when that is too much."""
        self.admit_as(client_address.subject(self.request), ANONYMOUS)

    def recall_anonymous(self) -> None:
        """Raise Refused when this process knows that the limit of where it comes from is spent; count nothing."""
        try:
            recall(client_address.subject(self.request), ANONYMOUS)
        except Refused as refusal:
            self.left = refusal.left
            raise

    def admit_as(self, subject: str, tier: Tier) -> None:
        """Count this request on `subject`; raise Refused when a limit of its is spent."""
        try:
            self.left = admit(subject, tier)
        except Refused as refusal:
            self.left = refusal.left
            raise

    def admit_networks(self, tier: Tier) -> Allowance:
        """Count this request on each network that it comes from; raise Refused when one has spent its limit.

        Return what is left to the narrowest. For what an anonymous caller can start and costs us more than an answer.
        """
        from chalicelib.limits import anonymous_limits

        try:
            return anonymous_limits.admit_networks(
                client_address.networks(client_address.source_ip(self.request)), tier
            )
        except Refused as refusal:
            self.left = refusal.left
            raise


current: ContextVar[RequestContext] = ContextVar("exchange")
"""The request that this thread answers."""
