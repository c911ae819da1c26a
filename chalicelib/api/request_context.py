"""One request, as the middleware and its view see it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from chalice.app import Request, Response

from chalicelib.api import client_address, responses
from chalicelib.core import clock
from chalicelib.credentials.principal import Principal
from chalicelib.limits.admission import Rejected, admit, raise_cached_rejection
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import ANONYMOUS, Tier

if TYPE_CHECKING:
    from chalicelib.idempotency.record import IdempotentRequest, Recording

T = TypeVar("T")
Routes = Mapping[str, Mapping[str, Any]]
"""Chalice's own table: entries by path and method."""


@dataclass(slots=True)
class RequestContext:
    """One request. A view takes it as its first argument."""

    request: Request
    started_ns: int
    routes: Routes = field(default_factory=dict, repr=False)
    """Every route of the app, which /openapi.json is made from."""
    caller: Principal | None = None
    left: Allowance | None = None
    once: "IdempotentRequest | None" = field(default=None, repr=False)
    """The request under its Idempotency-Key, if it has one and its route honours it."""
    counted: dict[str, int] = field(default_factory=dict)
    """Metrics by name, for its line in the access log."""

    @property
    def principal(self) -> Principal:
        """Return the verified caller; only routes with scopes have one."""
        if self.caller is None:
            raise LookupError(f"{self.request.path} is public: no caller was verified.")
        return self.caller

    @property
    def parameters(self) -> dict[str, str]:
        """Return the query parameters; of a repeated one the last counts."""
        return dict(self.request.query_params or {})

    @property
    def route(self) -> str:
        """Return the method and pattern under which it is counted: a HEAD counts as its GET."""
        method = "GET" if self.is_head else self.request.method
        return f"{method} {self.request.path}"

    @property
    def is_head(self) -> bool:
        """Return whether it is a HEAD, which must spend and issue nothing that its GET would."""
        return bool(self.request.method == "HEAD")

    @property
    def took_ms(self) -> int:
        """Return how long it has taken so far."""
        return (clock.elapsed_ns() - self.started_ns) // 1_000_000

    @property
    def id(self) -> str:
        """Return the gateway's id of this request."""
        return str(self.request.context.get("requestId", ""))

    def recorded(self, shown: Callable[[T], Response]) -> "Recording[T] | None":
        """Return the response to store in the transaction that creates a T; None without an Idempotency-Key."""
        if self.once is None:
            return None
        from chalicelib.api import idempotency
        from chalicelib.idempotency.record import Recording

        return Recording(self.once, lambda made: idempotency.kept(responses.of(shown(made))))

    def admit_anonymous(self) -> None:
        """Count this request on its network; raise Rejected beyond the limit of anonymous callers."""
        self.admit_as(client_address.subject(self.request), ANONYMOUS)

    def recall_anonymous(self) -> None:
        """Raise Rejected if this process knows that the limit of its network is exhausted; count nothing."""
        try:
            raise_cached_rejection(client_address.subject(self.request), ANONYMOUS)
        except Rejected as refusal:
            self.left = refusal.left
            raise

    def admit_as(self, subject: str, tier: Tier) -> None:
        """Count this request on `subject`; raise Rejected if one of its limits is exhausted."""
        try:
            self.left = admit(subject, tier)
        except Rejected as refusal:
            self.left = refusal.left
            raise

    def admit_networks(self, tier: Tier) -> Allowance:
        """Count this request on each network of its client; raise Rejected if the limit of one is exhausted.

        Return what is left to the narrowest. For costly requests that anonymous callers can send.
        """
        from chalicelib.limits import anonymous_limits

        try:
            return anonymous_limits.admit_networks(
                client_address.networks(client_address.source_ip(self.request)), tier
            )
        except Rejected as refusal:
            self.left = refusal.left
            raise


current: ContextVar[RequestContext] = ContextVar("exchange")
"""The request that this thread handles."""
