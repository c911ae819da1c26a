"""The definitions of `make bench`: the contenders, the groups in which they are measured, and the targets."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Contender:
    """A measured program in `contenders/`. `at_home` is the name of the environment that the program runs in."""

    name: str
    file: str
    says: str
    argument: str = ""
    at_home: Literal["ours", "python", "node"] = "ours"
    may_refuse: bool = False
    """Whether rejected operations are expected; if not, a rejection invalidates the measurement."""


@dataclass(frozen=True, slots=True)
class Group:
    """Contenders that are measured in alternating rounds."""

    name: str
    says: str
    contenders: tuple[Contender, ...]
    operations: int
    parallel: int = 1
    more_rounds: int = 0
    """Additional rounds, for a group whose rounds are short."""


Metric = Literal["cpu_us", "ops_per_s", "calls_per_op", "over_admitted"]


@dataclass(frozen=True, slots=True)
class Row:
    """A target for a contender's metric.

    If `against` names another contender, the target is for the quotient of the two contenders' metrics.
    """

    name: str
    says: str
    group: str
    contender: str
    metric: Metric
    direction: Literal["<=", ">="]
    target: float
    against: str = ""


PROFILE = "profile"
"""The group that samples the call stack in every round."""

_ADMISSION = Contender("latchkey admission", "latchkey_admission.py", "quota, burst and staleness judged and counted")
_REQUEST = Contender("latchkey request", "latchkey_request.py", "`GET /v1/limits` of a verified key, event to response")


def _oauth(operation: str) -> tuple[Contender, ...]:
    return (
        Contender("latchkey", "oauth_latchkey.py", "event to response, on DynamoDB", operation),
        Contender("authlib", "oauth_authlib.py", "Authlib on Flask, WSGI call to response", operation, "python"),
        Contender("node-oidc-provider", "oauth_node.mjs", "request to response, no socket", operation, "node"),
    )


def _calls(name: str, argument: str) -> Contender:
    return Contender(name, "calls.py", "through the local gateway", argument)


GROUPS = (
    Group(
        "warm",
        "Warm, sequential: one decision and one complete request, compared with their lower bounds",
        (
            Contender("boto3 update_item", "boto3_update_item.py", "a conditional counting call of the same size"),
            _ADMISSION,
            _REQUEST,
            Contender("chalice route", "chalice_route.py", "a route without a database call, event to response"),
        ),
        operations=1_000,
    ),
    Group(
        "decision",
        "The limit decision: an hourly and a one-second limit of one of 50 subjects, eight concurrently",
        (
            _ADMISSION,
            Contender("zae-limiter", "zae.py", "`acquire`, speculative writes, stored limits", at_home="python"),
            Contender(
                "rate-limiter-flexible", "rate_limiter_flexible.mjs", "a union of two DynamoDB limiters", at_home="node"
            ),
        ),
        operations=600,
        # Run operations concurrently, because the compared libraries are asynchronous and would be slower sequentially.
        parallel=8,
    ),
    Group(
        "verification",
        "A key verified with its limit, warm, sequential: Latchkey on DynamoDB, the others on SQLite in their process",
        (
            _REQUEST,
            Contender("better-auth", "better_auth.mjs", "`verifyApiKey`, rate limit on, no HTTP", at_home="node"),
            Contender(
                "djangorestframework-api-key",
                "drf_api_key.py",
                "`HasAPIKey` and a throttle, WSGI call to response",
                at_home="python",
            ),
        ),
        operations=600,
    ),
    Group(
        "cold start",
        "Cold start: a new process, from before the first import to the first response",
        (
            Contender("authorizer", "cold.py", "a key verified, two reads", "authorizer"),
            Contender("/v1", "cold.py", "`GET /v1/limits`, one write", "v1"),
            Contender("chalice + boto3", "cold.py", "the smallest function that makes one call", "minimal"),
        ),
        operations=3,
        more_rounds=2,
    ),
    Group("client_credentials", "OAuth: client credentials", _oauth("client_credentials"), operations=200),
    Group("code", "OAuth: a code exchanged for tokens", _oauth("code"), operations=150),
    Group("refresh", "OAuth: a refresh token exchanged", _oauth("refresh"), operations=150),
    Group(
        PROFILE,
        "Where the CPU of a token exchange goes",
        (
            Contender("code", "oauth_profile.py", "a code exchanged", "code"),
            Contender("refresh", "oauth_profile.py", "a refresh token exchanged", "refresh"),
        ),
        operations=400,
    ),
    Group("introspect", "OAuth: a token introspected", _oauth("introspect"), operations=200),
    Group(
        "local server",
        "Requests over one kept-alive connection to a server on this machine, `GET /v1/limits` of a verified key",
        (
            Contender("make run", "local_server.py", "the local gateway", "latchkey"),
            Contender("chalice local", "local_server.py", "stock, on the same app and database", "stock"),
        ),
        operations=50,
    ),
    Group(
        "fleet",
        "One Enterprise account, 1,000 requests a second at most, with eight functions, after a run-in of two seconds",
        (
            Contender("800 a second", "fleet.py", "below the limit", "100", may_refuse=True),
            Contender("1,200 a second", "fleet.py", "above the limit", "150", may_refuse=True),
        ),
        operations=4_000,
    ),
    Group(
        "database calls",
        "Database calls per request, the admission of its caller included",
        (
            _calls("authenticated request", "authenticated"),
            _calls("first request of a token", "first"),
            _calls("client_credentials", "client_credentials"),
            _calls("code exchange", "code"),
            _calls("refresh", "refresh"),
        ),
        operations=20,
    ),
)


def _calls_row(name: str, request: str, target: float) -> Row:
    return Row(name, f"database calls: {request}", "database calls", request, "calls_per_op", "<=", target)


def _cpu(name: str, says: str, where: tuple[str, str], against: str, target: float) -> Row:
    group, contender = where
    return Row(name, f"CPU: {says} ÷ {against}", group, contender, "cpu_us", "<=", target, against)


def _pace(name: str, says: str, where: tuple[str, str], against: str, target: float) -> Row:
    group, contender = where
    return Row(name, f"{says} a second ÷ {against}", group, contender, "ops_per_s", ">=", target, against)


_BARE = "boto3 update_item"
_MINIMAL = "chalice + boto3"
_DRF = "djangorestframework-api-key"
_PROVIDER = "node-oidc-provider"
_DECISION = ("decision", _ADMISSION.name)
_VERIFICATION = ("verification", _REQUEST.name)
_CODE = ("code", "latchkey")
_REFRESH = ("refresh", "latchkey")
_SERVER = ("local server", "make run")

ROWS = (
    _cpu("admission_cpu_vs_boto3", "an admission", ("warm", _ADMISSION.name), _BARE, 0.40),
    _cpu("request_cpu_vs_boto3", "a complete `GET /v1/limits`", ("warm", _REQUEST.name), _BARE, 0.60),
    _cpu("cold_authorizer_vs_chalice_boto3", "the authorizer, cold", ("cold start", "authorizer"), _MINIMAL, 0.50),
    _cpu("cold_v1_vs_chalice_boto3", "`/v1`, cold", ("cold start", "/v1"), _MINIMAL, 0.65),
    _pace("decision_vs_zae_limiter", "limit decisions", _DECISION, "zae-limiter", 2.0),
    _pace("decision_vs_rate_limiter_flexible", "limit decisions", _DECISION, "rate-limiter-flexible", 1.5),
    _cpu("verification_cpu_vs_better_auth", "a key verified", _VERIFICATION, "better-auth", 0.5),
    _cpu("verification_cpu_vs_drf_api_key", "a key verified", _VERIFICATION, _DRF, 1.0),
    _cpu("code_cpu_vs_authlib", "a code exchanged", _CODE, "authlib", 0.6),
    _cpu("refresh_cpu_vs_authlib", "a refresh", _REFRESH, "authlib", 0.6),
    _cpu("code_cpu_vs_node_oidc_provider", "a code exchanged", _CODE, _PROVIDER, 1.5),
    _cpu("refresh_cpu_vs_node_oidc_provider", "a refresh", _REFRESH, _PROVIDER, 2.0),
    _calls_row("calls_authenticated_request", "authenticated request", 1),
    _calls_row("calls_first_request_of_a_token", "first request of a token", 3),
    _calls_row("calls_client_credentials", "client_credentials", 3),
    _calls_row("calls_code_exchange", "code exchange", 4),
    _calls_row("calls_refresh", "refresh", 3),
    Row(
        "enterprise_writes_per_request",
        "writes a request: one Enterprise account, 800 a second over 8 functions",
        group="fleet",
        contender="800 a second",
        metric="calls_per_op",
        direction="<=",
        target=0.2,
    ),
    Row(
        "enterprise_over_admitted",
        "admitted beyond 1,000 in any second, at 800 a second",
        group="fleet",
        contender="800 a second",
        metric="over_admitted",
        direction="<=",
        target=0,
    ),
    Row(
        "enterprise_over_admitted_when_flooded",
        "admitted beyond 1,000 in any second, at 1,200 a second",
        group="fleet",
        contender="1,200 a second",
        metric="over_admitted",
        direction="<=",
        target=0,
    ),
    _pace("make_run_vs_chalice_local", "requests to `make run`", _SERVER, "chalice local", 20),
)
