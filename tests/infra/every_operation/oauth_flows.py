"""Every OAuth flow, run once, and its errors."""

from dataclasses import replace

from chalicelib.core import settings
from chalicelib.oauth.tables import Client
from tests.infra.every_operation.scenario import Scenario, ok
from tests.oauth.flow import (
    CALLBACK,
    CLIENT,
    CODE,
    DEVICE,
    LOOPBACK,
    PKCE,
    REFRESH,
    App,
    as_json,
    new_user,
    register_client,
)


class OAuthFlows(Scenario):
    """The part of the scenario that runs every OAuth flow and its errors."""

    def code_flow(self) -> None:
        """Run the code flow with remembered and denied consent; refresh, introspect and revoke tokens; withdraw the
        consent.
        """
        ada, app = new_user(self.latchkey), register_client(self.latchkey)
        token, refresh = ada.grant(app)
        ok(
            self.latchkey.call("GET", "/v1/users/me", token),
            ada.open_authorization(app),
            ada.open("/settings/connected"),
        )
        ok(ada.decide(ada.open_authorization(app, scope="read", prompt="consent"), "deny"))
        later = app.refresh(refresh).json()
        ok(*(app.post("/oauth/introspect", token=each) for each in (token, later["refresh_token"])))
        ok(*(app.post("/oauth/revoke", token=each) for each in (token, later["refresh_token"])))
        spa = register_client(self.latchkey, LOOPBACK, public=True)
        token, _ = ada.grant(spa)
        ok(self.latchkey.call("GET", "/v1/limits", token), ada.submit("/settings/connected", client_id=spa.id))
        assert self.latchkey.call("GET", "/v1/limits", token).status == 401
        # An unverified user gives a consent while email is disabled; after the verification, another consent is needed.
        eve = new_user(self.latchkey, "Eve", verified=False)
        with settings.override(replace(settings.current(), mail_from="")):
            eve.grant(app)
        self.latchkey.clock.forward(1)
        eve.verify_email()
        eve.grant(app)

    def reuse(self) -> None:
        """Retry a refresh, and reuse a refresh token and a code."""
        ada, app = new_user(self.latchkey), register_client(self.latchkey)
        _, refresh = ada.grant(app)
        ok(app.refresh(refresh), app.refresh(refresh))
        self.latchkey.clock.forward(31)
        assert app.refresh(refresh).status == 400
        code = ada.code(app)
        ok(app.redeem(code))
        assert app.redeem(code).status == 400

    def device_flow(self) -> None:
        """Run the device flow with pending polls, slow_down, approval and denial."""
        ada, app = new_user(self.latchkey), register_client(self.latchkey)
        for decision in ("allow", "deny"):
            started = app.post("/oauth/device_authorization", scope="read").json()
            polls = [app.ask(DEVICE, device_code=started["device_code"]).status for _ in range(2)]
            assert polls == [400, 400]
            page = ada.open(f"/device?user_code={started['user_code']}")
            ok(page, ada.send("/device", ada.fill(page, "/device", {"decision": decision})))
            self.latchkey.clock.forward(30)
            response = app.ask(DEVICE, device_code=started["device_code"])
            assert response.status == (200 if decision == "allow" else 400)

    def client_for_itself(self) -> None:
        """Issue a token by client credentials."""
        response = register_client(self.latchkey).ask(CLIENT)
        ok(response, self.latchkey.call("GET", "/v1/limits", response.json()["access_token"]))

    def registration(self) -> None:
        """Register, read, update and delete a client that has a grant."""
        described = {"redirect_uris": [CALLBACK], "grant_types": [CODE, REFRESH]}
        made = as_json(self.latchkey, "/oauth/register", described)
        body = made.json()
        path, token = f"/oauth/register/{body['client_id']}", body["registration_access_token"]
        ok(made, self.latchkey.call("GET", path, token))
        changed = {**described, "client_id": body["client_id"], "client_name": "Renamed"}
        ok(self.latchkey.call("PUT", path, token, json_body=changed))
        new_user(self.latchkey).grant(
            App(self.latchkey, Client.get(body["client_id"]), body["client_secret"], CALLBACK, PKCE)
        )
        ok(self.latchkey.call("DELETE", path, token))
