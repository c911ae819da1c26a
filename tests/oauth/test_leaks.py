"""No log line, traceback, repr or stored item contains a secret of the authorization server."""

import io
import logging

import pytest

from chalicelib.core import secrets, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.oauth import client_auth, clients, parameters, token_endpoint
from chalicelib.oauth.tables import Client, OneTimeToken
from chalicelib.oauth.token_request import TokenRequest
from infra import data
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    DEVICE,
    ISSUER,
    App,
    User,
    as_json,
    basic,
    is_accepted,
    post,
    register_client,
)
from tests.support.harness import TestApp
from tests.support.tracebacks import catch_traceback


def dump_all_tables() -> str:
    """Return all items of all tables as text."""
    names = data.tables(settings.current().stage)
    return "\n".join(repr(dynamodb.call("Scan", {"TableName": name})["Items"]) for name in names)


def run_all_flows(latchkey: TestApp, ada: User, app: App, spa: App) -> None:
    """Run all flows that handle a secret, with successful and with failing requests."""
    for client in (app, spa):
        access, refresh = ada.grant(client)
        is_accepted(latchkey, access)
        client.refresh(refresh, scope="read")
        client.refresh(refresh)
        latchkey.clock.forward(31)
        client.refresh(refresh)
        is_accepted(latchkey, access)
        code = ada.code(client)
        client.redeem(code, code_verifier="x" * 50)
        client.redeem(code, redirect_uri="https://evil.example/")
        client.redeem(code)
        client.redeem(code)
        client.post("/oauth/revoke", token=ada.grant(client)[1])
    token = app.ask(CLIENT).json()["access_token"]
    app.post("/oauth/introspect", token=token)
    register_client(latchkey).post("/oauth/introspect", token=token)
    register_client(latchkey).post("/oauth/revoke", token=token)
    post(latchkey, "/oauth/token", {"token": token}, headers=basic(app.id, str(app.secret) + "x"))
    post(latchkey, "/oauth/token", app.credentials, headers=basic(app.id, str(app.secret)))
    latchkey.call("POST", "/oauth/token", body=b'{"client_secret": "' + str(app.secret).encode())
    latchkey.call("GET", f"/oauth/token?client_secret={app.secret}")
    device = app.post("/oauth/device_authorization").json()
    latchkey.secrets.append(device["device_code"])
    app.ask(DEVICE, device_code=device["device_code"])
    ada.submit("/device", on=f"/device?user_code={device['user_code']}", decision="allow")
    app.ask(DEVICE, device_code=device["device_code"])
    client = as_json(latchkey, "/oauth/register", {"redirect_uris": [CALLBACK]}).json()
    latchkey.secrets += [client["client_secret"], client["registration_access_token"]]
    for held in (client["registration_access_token"], client["client_secret"], "x"):
        latchkey.call("GET", f"/oauth/register/{client['client_id']}", held)


def test_secrets_appear_only_in_responses(
    latchkey: TestApp,
    ada: User,
    app: App,
    spa: App,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No log line contains a code, token or client secret, or the random part of one, even at log level DEBUG."""
    caplog.set_level(logging.DEBUG)
    log = io.StringIO()
    telemetry.write_to(log)
    run_all_flows(latchkey, ada, app, spa)

    code = ada.code(app)
    parsed = parameters.parse_body(f"code={code}&grant_type=authorization_code", parameters.FORM)
    credentials = parameters.ClientCredentials(app.id, str(app.secret))
    one_time_token = OneTimeToken.get(secrets.digest(code))
    request = TokenRequest(parsed, app.client, one_time_token, ISSUER)
    seen = [
        *map(repr, (parsed, credentials, one_time_token, app, Client.get(app.id), request)),
        repr(clients.NewClient(app.client, app.secret)),
        catch_traceback(lambda: client_auth.authenticate(parameters.ClientCredentials("x", app.secret), code)),
        catch_traceback(lambda: token_endpoint.respond(request)),
    ]
    stored = dump_all_tables()
    dynamodb.call("DeleteTable", {"TableName": settings.current().table("tickets")})
    app.redeem(code)

    everything = "\n".join((log.getvalue(), caplog.text, "".join(capfd.readouterr()), stored, *seen))
    kinds = {secrets.kind_of(secret) for secret in latchkey.secrets}
    assert kinds >= {"at", "rt", "ac", "cs", "dc", "ra"}
    for secret in latchkey.secrets:
        assert secret[-36:-6] not in everything, secret[:6]
    assert "token.reuse_detected" in log.getvalue()
    assert "view_failed" in log.getvalue()
    assert secrets.digest(code) in stored
