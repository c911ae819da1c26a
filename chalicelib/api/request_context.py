"""One request, as the middleware and the view use it."""

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
"""The routing table of Chalice: entries by path and method."""


@dataclass(slots=True)
class RequestContext:
    """One request. It is the first argument of each view."""

    request: Request
    started_ns: int
    routes: Routes = field(default_factory=dict, repr=False)
    """Every route of the app, for /openapi.json."""
    caller: Principal | None = None
    left: Allowance | None = None
    once: "IdempotentRequest | None" = field(default=None, repr=False)
    """The record of this request under its Idempotency-Key; None if the request has no key or the route ignores the
    key.
    """
    counted: dict[str, int] = field(default_factory=dict)
    """Metrics by name, for the request's line in the access log."""

    @property
    def principal(self) -> Principal:
        """Return the verified caller. Raises LookupError on a public route, where no caller is verified."""
        if self.caller is None:
            raise LookupError(f"{self.request.path} is public: no caller was verified.")
        return self.caller

    @property
    def parameters(self) -> dict[str, str]:
        """Return the query parameters; the last value of a repeated parameter counts."""
        return dict(self.request.query_params or {})

    @property
    def route(self) -> str:
        """Return the method and path pattern under which the request is counted: HEAD counts as GET."""
        method = "GET" if self.is_head else self.request.method
        return f"{method} {self.request.path}"

    @property
    def is_head(self) -> bool:
        """Return whether the method is HEAD. A HEAD request must not issue or consume anything that a GET would."""
        return bool(self.request.method == "HEAD")

    @property
    def took_ms(self) -> int:
        """Return the time since the request started."""
        return (clock.elapsed_ns() - self.started_ns) // 1_000_000

    @property
    def id(self) -> str:
        """Return the request id that API Gateway assigned."""
        return str(self.request.context.get("requestId", ""))

    def recorded(self, render: Callable[[T], Response]) -> "Recording[T] | None":
        """Return the Recording to add to the transaction that creates a resource, so that it also stores the response.

        None if the request has no Idempotency-Key. `render` builds the response from the created resource.
        """
        if self.once is None:
            return None
        from chalicelib.api import idempotency
        from chalicelib.idempotency.record import Recording

        return Recording(self.once, lambda created: idempotency.to_stored(responses.of(render(created))))

    def admit_anonymous(self) -> None:
        """Count this request on the caller's network; raise Rejected when the anonymous limit is exceeded."""
        self.admit_as(client_address.subject(self.request), ANONYMOUS)

    def recall_anonymous(self) -> None:
        """Raise Rejected if the local cache says that the caller's network has exhausted its limit. Doesn't count the
        request.
        """
        try:
            raise_cached_rejection(client_address.subject(self.request), ANONYMOUS)
        except Rejected as refusal:
            self.left = refusal.left
            raise

    def admit_as(self, subject: str, tier: Tier) -> None:
        """Count this request on the rate limit subject `subject`; raise Rejected when one of its limits is exceeded."""
        try:
            self.left = admit(subject, tier)
        except Rejected as refusal:
            self.left = refusal.left
            raise

    def admit_networks(self, tier: Tier) -> Allowance:
        """Count a costly request on each network of the caller; raise Rejected when one of the networks exceeds its
        limit.

        Returns the remaining allowance of the narrowest network.
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
"""The request that the current thread handles."""
