"""`make smoke STAGE=dev` against the packaged stack in the emulator, which differs from AWS in known ways.

The test fails for a new difference. It also fails if a known difference disappears: then either the emulator has
improved, or the smoke test no longer checks it.
"""

import re
from collections import Counter
from dataclasses import dataclass

import pytest

from chalicelib.accounts.tables import Account, User
from infra.smoke import burst, clocks, latency, logs, outcomes, target, throwaway
from infra.smoke.command import smoke
from infra.smoke.redaction import Redaction
from infra.smoke.run import Run
from tests.deploy.checkout import architecture_here
from tests.deploy.conftest import EmulatedStage

pytestmark = [
    pytest.mark.xdist_group("deploy"),
    pytest.mark.skipif(architecture_here() is None, reason="functions for Lambda run on Linux, x86-64 or arm64"),
]

LITERAL = "it leaves `$context.authorizer.*` in gateway responses as it stands"
NO_MOCKS = "it imports no answers of mock integrations"
KEPT_NAME = "it doesn't rename WWW-Authenticate on answers of functions"
OWN_REQUEST_ID = "its x-amzn-RequestId isn't the id that it gives to the function"
NO_XRAY = "it has no X-Ray"

PREFLIGHT = {
    "body",
    *("Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Allow-Headers"),
    *("Access-Control-Expose-Headers", "Access-Control-Max-Age"),
}
PAGE = {
    *("body", "Content-Type", "Cache-Control", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"),
    *("access-control-allow-headers", "access-control-allow-origin", "access-control-expose-headers"),
}
SHORTCOMINGS: dict[str, tuple[str, set[str]]] = {
    "401 for a malformed key": (LITERAL, {"body"}),
    "401 for a malformed key, POST": (LITERAL, {"body"}),
    "401 for a well-formed but unknown key": (LITERAL, {"body"}),
    "401 token_expired for a rotated key": (LITERAL, {"body"}),
    "401 invalid_api_key for a revoked key that wasn't used before": (LITERAL, {"body"}),
    "404 for an unknown path outside /v1, as a page": (NO_MOCKS, PAGE),
    "CORS preflight for /v1/users/me": (NO_MOCKS, PREFLIGHT),
    "CORS preflight for /v1/keys": (NO_MOCKS, PREFLIGHT),
    "CORS preflight for /health": (NO_MOCKS, PREFLIGHT),
    "CORS preflight for /oauth/token": (NO_MOCKS, PREFLIGHT),
    "403 insufficient_scope, with its step-up challenge": (
        KEPT_NAME,
        {"www-authenticate", "x-amzn-Remapped-WWW-Authenticate"},
    ),
    logs.LOG: (OWN_REQUEST_ID, {f"expected a line, got {logs.OTHER_ID}"}),
    logs.TRACE: (NO_XRAY, {"expected a response from AWS, got BatchGetTraces: 400"}),
}
"""For each check that differs: what the emulator does differently, and the parts of the response that differ."""

LEFT_OUT = {
    "webhooks": "it requires RECEIVER=, a URL that responds with 2xx",
    logs.ACCESS_LOG: "API Gateway writes none: it needs a role (docs/deploying.md)",
}
"""Each check that is left out, with its reason. The emulator ignores the stage's access log settings."""

FAST_ENOUGH = re.compile(r"volley \d over \d+ connections admits no more than the burst|429, body and headers")
"""Checks that pass, or that are left out if the machine is too slow to exceed the burst limit."""


@dataclass(frozen=True, slots=True)
class Smoked:
    """A finished smoke run with its exit status and its report."""

    run: Run
    status: int
    report: str

    def found(self, state: str) -> list[outcomes.Outcome]:
        """Return the outcomes with a state, without the checks that depend on the machine's speed."""
        return [each for each in self.run.outcomes.of(state) if not FAST_ENOUGH.fullmatch(each.check)]


@pytest.fixture(scope="module")
def smoked(emulated_stage: EmulatedStage, tmp_path_factory: pytest.TempPathFactory) -> Smoked:
    """A smoke run with every option that works in an emulator on loopback.

    The run sends batches over four connections instead of 64, because each connection would start a process in the
    emulator. The batches are short, because the emulator is too slow to exceed a burst limit.
    """
    report = tmp_path_factory.mktemp("smoke") / "report.md"
    chosen = target.select({"STAGE": "dev", "COLD": "1"})
    run = Run(chosen, outcomes.Outcomes(Redaction(), lambda _line: None), parallel=4, arrives_within_s=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(burst, "REQUESTS", 24)
        patch.setattr(latency, "WARM", 10)
        return Smoked(run, smoke(run, report), report.read_text())


def test_differences_are_the_emulators_shortcomings(smoked: Smoked) -> None:
    """Exactly the known checks differ, and only in the known parts of the response."""
    differing: dict[str, set[str]] = {}
    for each in smoked.found(outcomes.DIFFERS):
        differing.setdefault(each.check, set()).add(part(each.found))
    assert differing == {check: parts for check, (_, parts) in SHORTCOMINGS.items()}
    assert smoked.status == 1


def test_skipped_checks_name_a_reason(smoked: Smoked) -> None:
    """Each check that is left out has its reason in one line."""
    assert {each.check: each.found for each in smoked.found(outcomes.LEFT_OUT)} == LEFT_OUT


def test_all_other_checks_pass(smoked: Smoked) -> None:
    """All other checks pass.

    A batch of requests that is too slow for the burst limit is reported as left out, not as a difference.
    """
    holding = Counter(each.check for each in smoked.run.outcomes.of(outcomes.OK))
    assert {
        "a revoked key is rejected at the next request, despite the cached policy",
        "its access token is rejected at the next request",
        "limit headers on every response",
        "only 200 and 429 during a volley",
        f"{clocks.CHECK}: the function",
        "CloudWatch may publish to the topic",
        throwaway.CLEANUP,
    } <= holding.keys()
    timed = [each for each in smoked.run.outcomes.found if FAST_ENOUGH.fullmatch(each.check)]
    assert {each.state for each in timed} <= {outcomes.OK, outcomes.LEFT_OUT}
    assert holding.keys() & SHORTCOMINGS.keys() == set()


def test_cold_start_measurement_restores_the_environment(smoked: Smoked, emulated_stage: EmulatedStage) -> None:
    """After cold starts are measured, the function's environment is the same as before."""
    (cold,) = [each for each in smoked.run.outcomes.found if each.check == latency.COLD_CHECK]
    assert (cold.state, cold.found[-7:]) == (outcomes.SEEN, f"(n = {latency.COLD})")
    function = emulated_stage.emulator.client("lambda").get_function_configuration(FunctionName="latchkey-dev")
    assert latency.MARK not in function["Environment"]["Variables"]


def test_run_leaves_no_account_and_no_secret(smoked: Smoked, emulated_stage: EmulatedStage) -> None:
    """The run deletes its accounts and users, and its report contains no secret, account or URL of the stage."""
    assert [each for each in Account.scan() if each.name == throwaway.NAME and each.status != "deleted"] == []
    assert [each for each in User.scan() if each.email.startswith("smoke.")] == []
    assert re.findall(r"127\.0\.0\.1|@example\.com|lk_\w+_[0-9A-Za-z]{36}|acc_\w{8}|\d{12}", smoked.report) == []


def part(found: str) -> str:
    """Return the part of the response to which a difference refers: the body, a header's name, or the whole text."""
    named = re.match(r"header ([\w-]+): ", found)
    if named:
        return named[1]
    return "body" if found.startswith("expected body ") else found
