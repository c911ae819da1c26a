"""Every route of the API, called once."""

from dataclasses import replace

from chalicelib.accounts import roles
from chalicelib.api.console.routes import FORMS_ON, PAGE_OF_PATH
from chalicelib.core import secrets, settings
from chalicelib.credentials import rotate
from chalicelib.credentials.change import change_key
from chalicelib.credentials.verify import verify
from chalicelib.limits import tiers
from chalicelib.termination import member_removal
from tests.detection.signing import alert, report
from tests.infra.every_operation.scenario import Scenario, ok
from tests.oauth.flow import (
    new_user,
    register_client,
)
from tests.support.console_client import ConsoleClient, new_account
from tests.support.webhook_receiver import Receiver


class ApiCalls(Scenario):
    """The part of the scenario that calls every route of the API once."""

    def public_routes(self) -> None:
        """Call the public routes."""
        page = ConsoleClient(self.latchkey).open("/")
        ok(page)
        static = next(url for url in page.urls if url.startswith("/static/"))
        for target in (
            static,
            "/health",
            "/status",
            "/status.json",
            "/status.rss",
            "/openapi.json",
            "/docs",
            "/login",
            "/signup",
            "/forgot",
            "/favicon.ico",
            "/robots.txt",
            "/.well-known/change-password",
        ):
            ok(self.latchkey.call("GET", target))
        with settings.override(replace(settings.current(), security_contact="security@example.com")):
            ok(self.latchkey.call("GET", "/.well-known/security.txt"))
        named = ("key_id", "webhook_id", "message_id", "client_id", "account_id", "user_id", "invitation_id")
        unknown = dict.fromkeys(named, "none")
        ok(*(self.latchkey.call("GET", path.format(**unknown)) for path in FORMS_ON if path not in PAGE_OF_PATH))
        for kind in ("authorization-server", "protected-resource"):
            ok(self.latchkey.call("GET", f"/.well-known/oauth-{kind}"))
        ok(self.latchkey.call("GET", "/.well-known/oauth-protected-resource/v1"))
        with settings.override(replace(settings.current(), public_url="https://api.example.com/api")):
            ok(self.latchkey.call("GET", "/.well-known/oauth-authorization-server/api"))

    def users(self) -> None:
        """Call the routes for users and accounts, as a user and as an administrator."""
        call, admin = self.latchkey.call, self.latchkey.account(tiers.ENTERPRISE, name="Root", admin=True)
        secret = self.latchkey.key(admin, "read", "write", "admin").secret
        ok(call("GET", "/v1/limits", secret), call("GET", "/v1/users/me", secret), call("GET", "/v1/users", secret))
        ok(call("PATCH", "/v1/users/me", secret, json_body={"name": "Rooty"}))
        made = call("POST", "/v1/accounts", secret, json_body={"email": "new@example.com", "name": "New"})
        path = f"/v1/accounts/{made.json()['id']}"
        ok(made, call("GET", path, secret), call("GET", f"/v1/users/{made.json()['owner_id']}", secret))
        again = call("POST", "/v1/accounts", secret, json_body={"email": "new@example.com", "name": "New"})
        assert again.status == 409
        for standing in ({"tier": "pro"}, {"status": "suspended"}, {"status": "active"}):
            ok(call("PATCH", path, secret, json_body=standing))
        own = self.latchkey.key(self.latchkey.account(), "read").secret
        ok(
            call("GET", "/v1/users", own),
            call("GET", f"/v1/users/{call('GET', '/v1/users/me', own).json()['id']}", own),
        )

    def members(self) -> None:
        """Invite, list, promote and remove members, with keys that are revoked and keys that are moved."""
        call, ada = self.latchkey.call, self.latchkey.account()
        secret = self.latchkey.key(ada, "members").secret
        invited = call("POST", "/v1/invitations", secret, json_body={"email": "eve@example.com", "role": "viewer"})
        one = f"/v1/invitations/{invited.json()['id']}"
        ok(invited, call("GET", "/v1/invitations", secret), call("GET", one, secret), call("DELETE", one, secret))
        for choice in member_removal.CHOICES:
            grace = self.latchkey.member(ada, roles.DEVELOPER)
            self.latchkey.key(grace, "read")
            path = f"/v1/members/{grace.membership.id}"
            ok(call("GET", "/v1/members", secret), call("GET", path, secret))
            for role in (roles.OWNER, roles.DEVELOPER):
                ok(call("PATCH", path, secret, json_body={"role": role}))
            ok(call("DELETE", f"{path}?keys={choice}", secret))

    def keys(self) -> None:
        """Create, read, change, rotate and revoke keys, and exhaust a key's quota."""
        call, account = self.latchkey.call, new_account()
        secret = self.latchkey.key(account, "read", "write", "keys", "events").secret
        ok(call("GET", "/v1/events", secret))
        made = call("POST", "/v1/keys", secret, json_body={"name": "CI", "scopes": ["read", "write"]})
        path = f"/v1/keys/{made.json()['id']}"
        ok(made, call("GET", "/v1/keys", secret), call("GET", path, secret))
        ok(call("PATCH", path, secret, json_body={"name": "CI 2", "scopes": ["read"]}))
        rotated = call("POST", f"{path}/rotate", secret, json_body={"grace_s": 60})
        ok(rotated, call("DELETE", f"/v1/keys/{rotated.json()['id']}", secret), call("DELETE", path, secret))
        self.latchkey.set_counters(account.id, tiers.FREE, used=1000)
        assert call("GET", "/v1/limits", secret).status == 429
        self.latchkey.clock.forward(3600)
        ok(call("GET", "/v1/limits", secret))

    def leaks(self) -> None:
        """Report leaked secrets: a key in a public place, a key in a private one, a rotated key, a token, and an
        unknown secret.
        """
        public, elsewhere, before = (self.latchkey.key(new_account()) for _ in range(3))
        rotate.rotate(verify(before.secret), before.key.id, 60)
        change_key(elsewhere.key.account_id, elsewhere.key.id, name=None, wanted=None, on_anomaly="narrow")
        token, _ = new_user(self.latchkey).grant(register_client(self.latchkey))
        tokens = [alert(secret) for secret in (public.secret, before.secret, token, secrets.mint("test"))]
        ok(report(self.latchkey, *tokens, alert(elsewhere.secret, public=False)))

    def services(self) -> None:
        """Verify secrets as another service does: a key, a token, and a malformed secret."""
        admin = self.latchkey.account(tiers.ENTERPRISE, name="Service", admin=True)
        service = self.latchkey.key(admin, "verify").secret
        token, _ = new_user(self.latchkey).grant(register_client(self.latchkey))
        for secret in (self.latchkey.key(self.latchkey.account()).secret, token, "nonsense"):
            ok(self.latchkey.call("POST", "/v1/verify", service, json_body={"secret": secret}))

    def webhooks(self, receiver: Receiver) -> None:
        """Call the routes for webhooks."""
        call, ada = self.latchkey.call, new_account()
        secret = self.latchkey.key(ada, "webhooks").secret
        made = call("POST", "/v1/webhooks", secret, json_body={"url": receiver.url, "name": "Ledger"})
        path = f"/v1/webhooks/{made.json()['id']}"
        ok(made, call("GET", "/v1/webhooks", secret), call("GET", path, secret))
        ok(call("PATCH", path, secret, json_body={"name": "Audit"}), call("POST", f"{path}/rotate", secret))
        sent = call("POST", f"{path}/test", secret)
        log = f"{path}/deliveries"
        one = f"{log}/{sent.json()['id']}"
        ok(sent, call("GET", log, secret), call("GET", one, secret), call("POST", f"{one}/resend", secret))
        receiver.statuses = [500, 204, 410, 204]
        ok(*(call("POST", f"{path}/test", secret) for _ in range(3)))
        ok(call("PATCH", path, secret, json_body={"status": "enabled"}), call("DELETE", path, secret))
