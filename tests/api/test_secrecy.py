"""No log line, exception, repr or stored item contains a secret."""

import io
import logging

import pytest

from chalicelib.core import secrets, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials import change, rotate
from chalicelib.credentials.verify import verify
from chalicelib.limits import tiers
from infra import data
from tests.support.failing_view import gateway_with_fault
from tests.support.harness import TestApp
from tests.support.tracebacks import catch_traceback


def dump_of_all_tables() -> str:
    """Return every stored item as text."""
    dumped = []
    for name in data.tables(settings.current().stage):
        request = {"TableName": name}
        while True:
            response = dynamodb.call("Scan", request)
            dumped.append(repr(response["Items"]))
            if "LastEvaluatedKey" not in response:
                break
            request |= {"ExclusiveStartKey": response["LastEvaluatedKey"]}
    return "\n".join(dumped)


def use_secrets(latchkey: TestApp) -> list[str]:
    """Use valid and invalid secrets on every path; return the resulting reprs and tracebacks."""
    root, ada = latchkey.account(name="Root", admin=True), latchkey.account()
    admin, key, poor = (
        latchkey.key(root, "read", "admin"),
        latchkey.key(ada),
        latchkey.key(ada, "read", "keys", expires_in_s=60),
    )
    seen = [repr(thing) for thing in (admin, key, key.key, verify(key.secret), latchkey.gateway)]

    made = latchkey.call("POST", "/v1/keys", key.secret, json_body={"name": "CI", "scopes": ["read", "keys"]}).json()
    for secret in (made["secret"], poor.secret):
        latchkey.call("GET", "/v1/users/me", secret)
    latchkey.call("PATCH", f"/v1/keys/{made['id']}", key.secret, json_body={"name": "CI 2", "scopes": ["read"]})
    latchkey.call("POST", f"/v1/keys/{made['id']}/rotate", key.secret, json_body={"grace_s": 0})
    latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret)
    latchkey.call("POST", f"/v1/keys/{key.key.id}/rotate", key.secret)
    latchkey.call("GET", "/v1/keys", key.secret)
    latchkey.call("POST", "/v1/accounts", admin.secret, json_body={"email": "bea@example.com", "name": "Bea"})
    latchkey.call("POST", "/v1/accounts", admin.secret, json_body={"email": "bea@example.com", "name": "Bea"})

    unknown = secrets.mint("test")
    latchkey.secrets += [unknown]
    for authorization in (unknown, f"{key.secret}x", key.secret[:-1], f"{key.secret} {key.secret}", ""):
        latchkey.call("GET", "/v1/users/me", authorization)
    latchkey.call("GET", "/v1/users/me", headers={"Authorization": f"Basic {key.secret}"})
    latchkey.call("GET", f"/v1/users?secret={key.secret}", key.secret)
    latchkey.call("PATCH", "/v1/users/me", key.secret, body=b"{" + key.secret.encode())
    latchkey.call("DELETE", f"/v1/keys/{made['id']}", key.secret)
    latchkey.call("GET", "/v1/users/me", made["secret"])
    latchkey.clock.forward(60)
    latchkey.call("GET", "/v1/users/me", poor.secret)
    latchkey.set_counters(ada.id, tiers.FREE, used=1000)
    latchkey.call("GET", "/v1/users/me", key.secret)

    seen += [
        catch_traceback(lambda: verify(unknown)),
        catch_traceback(lambda: rotate.rotate(verify(key.secret), key.key.id, 0)),
        catch_traceback(lambda: change.change_key(ada.id, key.key.id, name=None, wanted=["events"])),
    ]
    latchkey.clock.forward(3600)
    latchkey.gateway = gateway_with_fault()
    latchkey.call("GET", "/v1/fault", key.secret)
    return seen


def test_secrets_are_only_in_the_response_that_created_them(
    latchkey: TestApp, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No log, traceback, repr or table contains a secret or its random part; tables contain digests and previews."""
    caplog.set_level(logging.DEBUG)
    log = io.StringIO()
    telemetry.write_to(log)
    seen = use_secrets(latchkey)
    stored = dump_of_all_tables()
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("accounts")})
    latchkey.call("GET", "/v1/users/me", latchkey.secrets[0])
    latchkey.clock.forward(300)
    latchkey.call("GET", "/v1/users/me", latchkey.secrets[0])

    printed = "".join(capfd.readouterr())
    everything = "\n".join((log.getvalue(), caplog.text, printed, stored, *seen))
    assert len(latchkey.secrets) >= 8
    for secret in latchkey.secrets:
        assert secret[-36:-6] not in everything
    assert "tests.support.failing_view.Fault" in log.getvalue()
    assert secrets.digest(latchkey.secrets[0]) in stored
    assert secrets.preview(latchkey.secrets[0]) in stored
