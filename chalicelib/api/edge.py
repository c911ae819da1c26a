"""What every response passes through: who calls, the admission, the route's scope, the view, headers, errors.

The middleware sees everything the app answers, its own 404s and 405s included; what a view raises, `route` turns into
an answer first, since Chalice shows a view's exception to no middleware.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from chalice.app import Blueprint, CORSConfig, Request, Response

from chalicelib.api import client_address, responses, www_authenticate
from chalicelib.api.authorizer import authorizer
from chalicelib.api.declared import NOTHING_DECLARED, Answer, Body, Declared, Fields, Form, Query
from chalicelib.api.shapes import Kind
from chalicelib.core import clock, errors, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import reverify
from chalicelib.credentials.principal import Verdict, from_context
from chalicelib.events import actors
from chalicelib.limits import headers as limit_headers
from chalicelib.limits.admission import Refused, admit, recall
from chalicelib.limits.headers import Allowance
from chalicelib.limits.tiers import ANONYMOUS, Tier

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Once, Recording

T = TypeVar("T")
JSON = "application/json"
ANY = "*/*"

Routes = Mapping[str, Mapping[str, Any]]
"""Chalice's own table: entries by path and method."""


@dataclass(slots=True)
class Exchange:
    """One request on its way to an answer. A view takes it as its first argument."""

    request: Request
    started_ns: int
    routes: Routes = field(default_factory=dict, repr=False)
    """Every route of the app: what the reference is made from."""
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    """The fields of its body, as the route declares and checks them. They may hold a secret."""
    query: dict[str, Any] = field(default_factory=dict)
    """The parameters of its query, as the route declares and checks them."""
    caller: Verdict | None = None
    left: Allowance | None = None
    once: "Once | None" = field(default=None, repr=False)
    """The request under its Idempotency-Key, where it has one and its route heeds it."""
    counted: dict[str, int] = field(default_factory=dict)
    """What happened on its way and is counted: metrics by name, for its line in the log."""

    @property
    def verdict(self) -> Verdict:
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

    def admit_stranger(self) -> None:
        """Count this request by where it comes from; raise Refused when that is too much."""
        self.admit_as(client_address.subject(self.request), ANONYMOUS)

    def recall_stranger(self) -> None:
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


class CrossOrigin(CORSConfig):
    """The cross-origin headers of one path, read from the settings when asked for rather than when it is registered.

    Chalice wants the same for all methods of a path.
    """

    def __init__(self) -> None:
        """Know no method of the path yet."""
        super().__init__()
        self.has_callers, self.ignores_keys = False, False

    def note(self, methods: Iterable[str], rules: "Rules", declared: Declared) -> None:
        """Remember how methods of the path take an Idempotency-Key."""
        self.has_callers |= bool(rules.scopes)
        self.ignores_keys |= "POST" in methods and not declared.idempotency

    def get_access_control_headers(self) -> dict[str, str]:
        """Return the headers of an answer and of a preflight.

        A page may name a request only where that is heeded, and never to what anybody may call without a credential:
        the answer is kept for whoever asked, and nobody is known there.
        """
        heeds_keys = self.has_callers and not self.ignores_keys
        return responses.preflight(responses.ALLOWED_TO_REPEAT if heeds_keys else responses.ALLOWED)


_cross_origin: dict[str, CrossOrigin] = {}
"""By path."""

_exchange: ContextVar[Exchange] = ContextVar("exchange")

View = Callable[..., Any]


def _refusal(error: errors.LatchkeyError, exchange: Exchange) -> Response:
    """Answer programs in JSON; a person who opened the path in a browser is shown a page."""
    if client_address.opens_a_page(exchange.request):
        from chalicelib.api.console import frame

        return frame.plain_error_page(error, exchange)
    return responses.refusal(error)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the edge does for a route beyond calling its view."""

    scopes: tuple[str, ...] = ()
    """What its caller's credential must have; none makes the route public."""
    refusal: Callable[[errors.LatchkeyError, Exchange], Response] = _refusal
    """The form that its errors take."""
    counted: bool = True
    """Whether the edge counts its requests; a view that doesn't cost anything, or counts for itself, says no."""
    cross_origin: bool = False
    """Whether pages of the allowed origin may call it."""


_BY_DEFAULT = Rules()


def route(
    blueprint: Blueprint,
    path: str,
    *,
    methods: list[str],
    scopes: Iterable[str] = (),
    takes: str = JSON,
    body: Body | Form | None = None,
    query: Query | None = None,
    headers: Mapping[str, Kind] | None = None,
    proofs: tuple[str, ...] = (),
    ids: Fields | None = None,
    gives: Mapping[int, Answer | Kind] | None = None,
    refuses: Iterable[type[errors.LatchkeyError]] = (),
    idempotency: str = "",
    counted: bool = True,
) -> Callable[[View], View]:
    """Register a view of the JSON API: `scopes` are what its caller's credential must have; none makes it public.

    One that has scopes and says what it gives takes no query but the one it names. A public one may have `headers` and
    `proofs` that its view looks at by itself.

    The view is called with the Exchange and the path's parameters, and returns a body or a chalice Response. A request
    with a body must have the media type that it `takes`. `body` and `query` are checked before the view runs, which
    finds them on the Exchange. `ids` are the path's parameters, `gives` the answers by status, `refuses` the errors
    beyond those that follow from the rest: they and the view's docstring make its part of the reference.
    `idempotency` says how it heeds an Idempotency-Key: RECORDED or CLAIMED. What isn't `counted` is public, and its
    requests count for nobody.
    """
    # No answer of these depends on a cookie: a page of another origin reads what anybody with the same key can.
    rules = Rules(scopes=tuple(scopes), counted=counted, cross_origin=True)
    given = {status: each if isinstance(each, Answer) else Answer(each) for status, each in (gives or {}).items()}
    if query is None and given and rules.scopes:
        query = Query()
    if idempotency and not rules.scopes:
        raise ValueError("Only a route that knows its caller can tell whose Idempotency-Key it is.")
    declared = Declared(
        body, query, headers or {}, ids or {}, given, tuple(refuses), idempotency=idempotency, proofs=proofs
    )
    return route_with(blueprint, path, methods=methods, rules=rules, takes=(takes,), declared=declared)


def route_with(
    blueprint: Blueprint,
    path: str,
    *,
    methods: list[str],
    rules: Rules,
    takes: tuple[str, ...] = (JSON,),
    declared: Declared | None = None,
) -> Callable[[View], View]:
    """Register a view under rules of its own; only what is `declared` is part of the reference.

    What can be got by GET can be asked for by HEAD (RFC 9110 §9.3.2): its view runs, and the edge leaves the body out.
    """

    def register(view: View) -> View:
        @wraps(view)
        def answered(**parameters: str) -> Response:
            try:
                exchange = _exchange.get()
                _check_media_type(exchange, answered.takes)  # type: ignore[attr-defined]  # set below
                _read(exchange, declared or NOTHING_DECLARED)
                return _answer(exchange, declared or NOTHING_DECLARED, view, parameters)
            except errors.LatchkeyError as error:
                return _refused(error, rules, _exchange.get())
            except Exception as error:
                return rules.refusal(_fault("view_failed", error, _exchange.get()), _exchange.get())

        answered.rules = rules  # type: ignore[attr-defined]  # read back by _rules_of
        answered.declared = declared  # type: ignore[attr-defined]  # read back by the reference
        reads_a_body = {"POST", "PUT", "PATCH"} & set(methods)
        cors = _cross_origin.setdefault(path, CrossOrigin())
        cors.note(methods, rules, declared or NOTHING_DECLARED)
        answered.takes = takes if reads_a_body else (ANY,)  # type: ignore[attr-defined]  # read back by the reference
        blueprint.route(
            path,
            methods=[*methods, *({"HEAD"} - set(methods) if "GET" in methods else ())],
            name=view.__name__,
            cors=cors if rules.cross_origin else None,
            # Chalice would refuse a media type that nobody reads: that of a request without a body.
            content_types=[ANY],
            **({"authorizer": authorizer} if rules.scopes else {}),
        )(answered)
        return view

    return register


def _check_media_type(exchange: Exchange, takes: tuple[str, ...]) -> None:
    """Raise UnsupportedMediaType for a body that has another media type than its route takes."""
    if takes == (ANY,) or not exchange.request.raw_body:
        return
    given = (client_address.only(exchange.request, "content-type") or JSON).lower()
    if not {part.strip() for part in re.split("[,;]", given)} & set(takes):
        raise responses.unsupported(takes)


def _read(exchange: Exchange, declared: Declared) -> None:
    """Check what the request carries by what its route declares."""
    if declared.query is not None:
        exchange.query = declared.query.read(exchange.parameters)
    if isinstance(declared.body, Body):
        exchange.body = declared.body.read(exchange.request.raw_body)


def _answer(exchange: Exchange, declared: Declared, view: View, parameters: Mapping[str, str]) -> Response:
    if not declared.idempotency or "idempotency-key" not in exchange.request.headers:
        return responses.of(view(exchange, **parameters))
    from chalicelib.api import idempotency

    return idempotency.answered(exchange, declared.idempotency, view, parameters)


def install(app: Any) -> None:
    """Put the edge around everything that `app` answers."""

    def edge(request: Request, get_response: Callable[[Request], Response]) -> Response:
        exchange = Exchange(request, clock.elapsed_ns(), app.routes)
        token = _exchange.set(exchange)
        try:
            with telemetry.counting_into(exchange.counted), actors.stranger_from(client_address.source_ip(request)):
                client_address.note_unreadable(request)
                response = _pass(exchange, get_response)
        finally:
            _exchange.reset(token)
        return response

    app.register_middleware(edge, "http")


def _pass(exchange: Exchange, get_response: Callable[..., Response]) -> Response:
    entry = exchange.routes.get(exchange.request.path, {}).get(exchange.request.method)
    rules = _rules_of(entry)
    decision = "admitted"
    try:
        _admit(exchange, rules)
        _require(exchange, rules.scopes)
        response = get_response(exchange.request)
        refused = responses.in_our_words(response, entry.content_types if entry else (), exchange.id)
        if refused is not None:
            response = rules.refusal(refused, exchange)
    except errors.LatchkeyError as error:
        decision = error.limit if isinstance(error, Refused) else error.error
        response = _refused(error, rules, exchange)
    except Exception as error:
        decision = "failed"
        response = rules.refusal(_fault("edge_failed", error, exchange), exchange)
    response.headers.update(limit_headers.headers(exchange.left) if exchange.left else limit_headers.NOBODY)
    if rules.cross_origin:
        response.headers.update(responses.cross_origin())
    if exchange.caller is not None and response.status_code in (401, 403):
        reverify.note_failure(exchange.caller)
    _log(exchange, decision, response.status_code)
    return responses.without_body(response) if exchange.is_head else response


def _refused(error: errors.LatchkeyError, rules: Rules, exchange: Exchange) -> Response:
    """Return a refusal in the form of its route; a 401 or 403 of a credential says how to do better."""
    response = rules.refusal(error, exchange)
    told = www_authenticate.of(error, rules.scopes, client_address.base_url(exchange.request))
    if told is not None:
        response.headers["WWW-Authenticate"] = told
    return response


def _fault(event: str, error: Exception, exchange: Exchange) -> errors.LatchkeyError:
    """Log what went wrong on our side, and return what to say of it: try again, or quote the request id."""
    telemetry.error(event, request_id=exchange.id)
    return errors.Unavailable() if dynamodb.is_outage(error) else errors.InternalError(exchange.id)


def _rules_of(entry: Any) -> Rules:
    """Return the rules of a route; what Chalice answers by itself has those of a public one."""
    rules: Rules = getattr(entry.view_function, "rules", _BY_DEFAULT) if entry is not None else _BY_DEFAULT
    return rules


def scopes_by_route(routes: Routes) -> dict[str, tuple[str, ...]]:
    """Return what each route that needs a credential asks of it: `GET /v1/users` and so on, the owner's own as well."""
    return {
        f"{method} {path}": rules.scopes
        for path, methods in routes.items()
        for method, entry in methods.items()
        if method != "HEAD" and (rules := _rules_of(entry)).scopes
    }


def _admit(exchange: Exchange, rules: Rules) -> None:
    """Decide the admission of a caller, or of a stranger by address: so is who sends two credentials counted."""
    is_ambiguous = bool(rules.scopes) and len(set(client_address.every(exchange.request, "authorization"))) > 1
    try:
        if rules.scopes and not is_ambiguous:
            caller = exchange.caller = from_context(exchange.request.context["authorizer"])
            exchange.caller, exchange.left = reverify.admit_caller(
                caller, exchange.request.headers.get("authorization", ""), use=_use(exchange, rules)
            )
            actors.is_known_as(caller.credential_id, caller.account_id)
        elif rules.counted:
            exchange.admit_stranger()
        if is_ambiguous:
            # The authorizer has verified one of them, and the other could be taken for it.
            raise errors.InvalidRequest("Send one Authorization header.")
    except Refused as refusal:
        exchange.left = refusal.left
        raise


def _use(exchange: Exchange, rules: Rules) -> reverify.Use:
    """Return where a request comes from and what it is for."""
    network = client_address.neighbourhood(client_address.source_ip(exchange.request))
    return reverify.Use(network, exchange.route, rules.scopes)


def _require(exchange: Exchange, scopes: Iterable[str]) -> None:
    for scope in scopes:
        if scope not in exchange.verdict.scopes:
            raise errors.InsufficientScope(scope)


def _log(exchange: Exchange, decision: str, status: int) -> None:
    """Write the one line of a request, which is its metrics too."""
    caller, metrics = exchange.caller, {"Requests": 1, "Latency": exchange.took_ms, **exchange.counted}
    if status == 429:
        metrics["Refusals"] = 1
    if status == 401:
        metrics["Unauthorized"] = 1
    if status >= 500:
        metrics["Faults"] = 1
    telemetry.measured(
        "request",
        metrics,
        tier=exchange.left.tier.name if exchange.left else "nobody",
        decision=decision,
        request_id=exchange.id,
        route=exchange.route,
        status=status,
        account_id=caller.account_id if caller else None,
        credential_id=caller.credential_id if caller else None,
    )
