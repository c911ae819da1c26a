"""Test a webhook to the receiver in RECEIVER=, with a synchronous test message and with an event from the stream."""

import time
from typing import Any

from infra.smoke.run import Run, expect
from infra.smoke.throwaway import NAME, Account

WITHIN_S, LOOKS_EVERY_S = 30, 1


def check(run: Run, account: Account) -> None:
    """Create a webhook, send a test message and an event to it, and delete it."""
    if not run.target.receiver:
        run.outcomes.left_out("webhooks", "it requires RECEIVER=, a URL that responds with 2xx")
        return
    body = {"url": run.hide(run.target.receiver), "name": NAME}
    made = expect(201, "POST /v1/webhooks", run.call("POST", "/v1/webhooks", account.key, body=body)).json()
    run.hide(made["secret"])
    path = f"/v1/webhooks/{made['id']}"
    try:
        sent = expect(200, "POST /v1/webhooks/{id}/test", run.call("POST", f"{path}/test", account.key)).json()
        _judge(run, "a test message reaches the receiver", sent)
        account.make_key()
        _judge(run, "an event reaches the receiver through the stream", _await_delivery(run, account, path))
    finally:
        run.call("DELETE", path, account.key)


def _await_delivery(run: Run, account: Account, path: str) -> dict[str, Any]:
    """Wait for the first attempt to deliver the key.created event, at most until a timeout. Return the delivery."""
    give_up_s = time.monotonic() + WITHIN_S
    found: dict[str, Any] = {"state": "not started", "attempts": []}
    while time.monotonic() < give_up_s:
        listed = expect(200, "GET /v1/webhooks/{id}/deliveries", run.call("GET", f"{path}/deliveries", account.key))
        found = next((each for each in listed.json()["data"] if each["type"] == "key.created"), found)
        if found["state"] == "delivered" or found["attempts"]:
            break
        time.sleep(LOOKS_EVERY_S)
    return found


def _judge(run: Run, check: str, delivery: dict[str, Any]) -> None:
    attempts = delivery["attempts"]
    last = attempts[-1] if attempts else {}
    got = f"{delivery['state']} ({last.get('problem') or last.get('status') or 'no attempt'})"
    run.outcomes.expect(check, delivery["state"] == "delivered", expected="delivered", got=got)
    if attempts:
        run.outcomes.seen(check, f"returned {last['status']} after {last['took_ms']} ms")
