"""Compare the responses to requests with a credential byte by byte, including the 401 and 403 of unusable keys."""

import json
from typing import Any

from chalicelib.accounts import roles
from chalicelib.api import responses, www_authenticate
from chalicelib.api.authorizer import EXPLANATION, REFUSAL
from chalicelib.core import clock, errors, settings
from chalicelib.credentials import scopes
from chalicelib.limits import headers as limit_headers
from infra import gateway
from infra.local_gateway.response import RENAMED, Response
from infra.smoke import compare, contract
from infra.smoke.run import Run, expect
from infra.smoke.throwaway import NAME, TIER, Account

ME = "/v1/users/me"
OWN_RECORD = "200 for a valid key, body and headers"


def check(run: Run, account: Account) -> None:
    """Compare the responses to the account's key, to keys with fewer scopes, and to expired and revoked keys."""
    with run.record_errors(OWN_RECORD):
        _check_own_record(run, account)
    run.judge(f"HEAD {ME} like GET, without a body", lambda: contract.compare_head(run, ME, account.key))
    _check_odd_methods(run, account)
    run.judge("403 insufficient_scope, with its step-up challenge", lambda: _compare_missing_scope(run, account))
    run.judge("401 token_expired for a rotated key", lambda: _compare_rotated(run, account))
    run.judge("401 invalid_api_key for a revoked key that wasn't used before", lambda: _compare_revoked(run, account))


def denied_by_gateway(error: errors.LatchkeyError) -> Response:
    """Return API Gateway's response to a request that the authorizer denies."""
    context = {REFUSAL: error.error, EXPLANATION: error.message}
    status, headers, body = gateway.render("ACCESS_DENIED", status=403, context=context, own_message="")
    return Response(status, list(headers.items()), body.encode())


def denied_by_function(run: Run, error: errors.LatchkeyError, needed: str) -> Response:
    """Return the response to a request that the function denies before the view runs.

    API Gateway has renamed its challenge header.
    """
    response = responses.error_response(error)
    challenge = www_authenticate.of(error, [needed], settings.current().public_url or run.target.url) or ""
    headers = {
        **{name: str(value) for name, value in response.headers.items()},
        **responses.cross_origin(),
        **headers_of_limits(),
        RENAMED["www-authenticate"]: challenge,
    }
    return Response(error.status, list(headers.items()), as_sent(response.body))


def cross_origin(path: str, method: str) -> dict[str, str]:
    """Return the CORS headers of responses from a route."""
    from app import app

    cors = app.routes[path][method].cors
    return {} if cors is None else dict(cors.get_access_control_headers())


def headers_of_limits() -> dict[str, str]:
    """Return the limit headers for the tier of the run's account. Numbers that change over time match any number."""
    full = limit_headers.Allowance(TIER, TIER.quota or 0, TIER.burst, 0, 0, 0)
    policy = limit_headers.headers(full)["RateLimit-Policy"]
    return {
        "X-RateLimit-Limit": str(full.limit),
        "X-RateLimit-Remaining": compare.NUMBER,
        "X-RateLimit-Reset": compare.NUMBER,
        "RateLimit-Policy": policy,
        "RateLimit": compare.ANY,
    }


def as_sent(body: Any) -> bytes:
    """Return a JSON body in the format in which the function serializes it."""
    return json.dumps(body, separators=(",", ":")).encode()


def _check_own_record(run: Run, account: Account) -> None:
    first, second = run.call("GET", ME, account.key), run.call("GET", ME, account.key)
    record = {"id": account.user_id, "name": NAME, "created_at": "", "email": account.email, "account": account.id}
    record |= {"role": roles.OWNER, "tier": TIER.name, "status": "active"}
    record["created_at"] = expect(200, f"GET {ME}", first).json().get("created_at", "")
    headers = {"Content-Type": "application/json", **cross_origin(ME, "GET"), **headers_of_limits()}
    expected = Response(200, list(headers.items()), as_sent(record))
    run.outcomes.judge(OWN_RECORD, compare.differences(expected, first))
    run.request_ids.extend(filter(None, [first.header("x-amzn-RequestId")]))
    left = [int(each.header("X-RateLimit-Remaining") or -1) for each in (first, second)]
    is_new_hour = first.header("X-RateLimit-Reset") != second.header("X-RateLimit-Reset")
    went_down = is_new_hour or left[1] == left[0] - 1
    run.outcomes.expect("each request counts once against the quota", went_down, expected=left[0] - 1, got=left[1])
    reset_s = int(second.header("X-RateLimit-Reset") or 0)
    is_full_hour = reset_s % clock.HOUR_S == 0 and -clock.HOUR_S < reset_s - clock.now_s() - clock.HOUR_S <= 5
    run.outcomes.expect("the quota resets at the full hour", is_full_hour, expected="a full hour", got=reset_s)


def _check_odd_methods(run: Run, account: Account) -> None:
    for method, path in contract.ODD:
        name = f"404 for {method} {path} with a valid key, since the path has no {method}"
        bearer = {"Authorization": f"Bearer {account.key}", "Content-Type": "application/json"}
        expected = contract.local_gateway().handle(method, path, bearer.items(), b"{}")
        with run.record_errors(name):
            response = run.call(method, path, account.key, body=b"{}")
            run.outcomes.judge(name, compare.differences(expected, response))
            contract.record_error_type(run, name, response)


def _compare_missing_scope(run: Run, account: Account) -> list[str]:
    reader = account.make_key(scopes.READ)["secret"]
    expected = denied_by_function(run, errors.InsufficientScope(scopes.WRITE), scopes.WRITE)
    return compare.differences(expected, run.call("PATCH", ME, reader, body={"name": "Smoke"}))


def _compare_rotated(run: Run, account: Account) -> list[str]:
    made = account.make_key()
    successor = run.call("POST", f"/v1/keys/{made['id']}/rotate", account.key, body={"grace_s": 0})
    run.hide(json.loads(successor.body).get("secret", ""))
    return compare.differences(denied_by_gateway(errors.TokenExpired()), run.call("GET", ME, made["secret"]))


def _compare_revoked(run: Run, account: Account) -> list[str]:
    made = account.make_key()
    run.call("DELETE", f"/v1/keys/{made['id']}", account.key)
    return compare.differences(denied_by_gateway(errors.InvalidApiKey()), run.call("GET", ME, made["secret"]))
