"""Check that a revoked key is rejected at the next request, although API Gateway caches the authorizer's policy."""

from chalicelib.core import errors
from chalicelib.credentials import scopes
from infra.smoke.credentials import ME, as_sent
from infra.smoke.run import Run, expect
from infra.smoke.throwaway import Account

ROUNDS, WARMING, CALLS_AFTER = 3, 3, 4


def check(run: Run, account: Account) -> None:
    """Use a key, revoke it, and use it again immediately; several rounds."""
    name = "a revoked key is refused at the next request, the gateway's cache being warm"
    late = [late for _ in range(ROUNDS) if (late := _passes(run, account))]
    run.outcomes.expect(name, not late, expected="401 at once", got=f"200 for {sum(late)} requests after it")
    name = "a key that lost a scope may do less at the next request"
    status = _after_narrowing(run, account)
    run.outcomes.expect(name, status == 403, expected="403", got=status)


def _passes(run: Run, account: Account) -> int:
    """Return how many requests were admitted after the key was revoked."""
    made = account.make_key()
    for _ in range(WARMING):
        expect(200, f"GET {ME} with a new key", run.call("GET", ME, made["secret"]))
    expect(204, "DELETE /v1/keys/{key_id}", run.call("DELETE", f"/v1/keys/{made['id']}", account.key))
    after = [run.call("GET", ME, made["secret"]) for _ in range(CALLS_AFTER)]
    refusal = errors.InvalidApiKey()
    body = as_sent({"error": refusal.error, "message": refusal.message})
    for each in after:
        if each.status == 401 and each.body != body:
            run.outcomes.differs("401 of a key that was revoked while cached", expected=body, got=each.body)
    return sum(each.status == 200 for each in after)


def _after_narrowing(run: Run, account: Account) -> int:
    made = account.make_key(scopes.READ, scopes.WRITE)
    expect(200, f"PATCH {ME} with a new key", run.call("PATCH", ME, made["secret"], body={"name": "Smoke"}))
    narrowed = {"scopes": [scopes.READ]}
    expect(200, "PATCH /v1/keys/{key_id}", run.call("PATCH", f"/v1/keys/{made['id']}", account.key, body=narrowed))
    return run.call("PATCH", ME, made["secret"], body={"name": "Smoke"}).status
