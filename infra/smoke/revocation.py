"""Check that a revoked key is rejected at the next request, although API Gateway caches the authorizer's policy."""

from chalicelib.core import errors
from chalicelib.credentials import scopes
from infra.smoke.credentials import ME, as_sent
from infra.smoke.run import Run, expect
from infra.smoke.throwaway import Account

ROUNDS, WARMING, CALLS_AFTER = 3, 3, 4


def check(run: Run, account: Account) -> None:
    """Use a key, revoke it, and use it again immediately, in several rounds; then remove a scope from another key."""
    name = "a revoked key is rejected at the next request, despite the cached policy"
    late = [late for _ in range(ROUNDS) if (late := _count_late_admissions(run, account))]
    got = f"200 for {sum(late)} requests after the revocation"
    run.outcomes.expect(name, not late, expected="401 for each", got=got)
    name = "a removed scope can't be used at the next request"
    status = _use_removed_scope(run, account)
    run.outcomes.expect(name, status == 403, expected="403", got=status)


def _count_late_admissions(run: Run, account: Account) -> int:
    """Use a new key, revoke it, and return how many requests were admitted after the revocation."""
    made = account.make_key()
    for _ in range(WARMING):
        expect(200, f"GET {ME} with a new key", run.call("GET", ME, made["secret"]))
    expect(204, "DELETE /v1/keys/{key_id}", run.call("DELETE", f"/v1/keys/{made['id']}", account.key))
    after = [run.call("GET", ME, made["secret"]) for _ in range(CALLS_AFTER)]
    error = errors.InvalidApiKey()
    body = as_sent({"error": error.error, "message": error.message})
    for each in after:
        if each.status == 401 and each.body != body:
            run.outcomes.differs("401 for a key with a cached policy", expected=body, got=each.body)
    return sum(each.status == 200 for each in after)


def _use_removed_scope(run: Run, account: Account) -> int:
    made = account.make_key(scopes.READ, scopes.WRITE)
    expect(200, f"PATCH {ME} with a new key", run.call("PATCH", ME, made["secret"], body={"name": "Smoke"}))
    change = {"scopes": [scopes.READ]}
    expect(200, "PATCH /v1/keys/{key_id}", run.call("PATCH", f"/v1/keys/{made['id']}", account.key, body=change))
    return run.call("PATCH", ME, made["secret"], body={"name": "Smoke"}).status
