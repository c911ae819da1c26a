"""Everything that Latchkey can do, once: every route and page, every OAuth flow, and what goes wrong on the way."""

import re
from dataclasses import dataclass, replace

from chalicelib.accounts import change, email_links
from chalicelib.accounts.states import SUSPENDED
from chalicelib.accounts.unfinished import SLICE
from chalicelib.api import background
from chalicelib.api.console.routes import FORMS_ON, PAGE_OF_PATH
from chalicelib.core import clock, secrets, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import on_anomaly, rotate
from chalicelib.credentials.change import change_key
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.verify import verify
from chalicelib.detection import leak_policy
from chalicelib.events import kinds, record
from chalicelib.events.tables import Event
from chalicelib.limits import counter_items, tiers
from chalicelib.oauth import grants
from chalicelib.oauth.tables import Client
from chalicelib.termination import password_reset
from chalicelib.uptime import incidents, states
from chalicelib.webhooks import deliver, endpoint_lock, endpoints, fan_out
from chalicelib.webhooks.states import BY_ACCOUNT
from chalicelib.webhooks.tables import Endpoint
from infra.standin import Answer
from tests.detection.planted import NETWORK, item, used_for_days
from tests.detection.signing import alert, report
from tests.infra.recorder import HOUR, MINUTE, STREAM, Recorder
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
from tests.support.console_client import PASSWORD, ConsoleClient, Page, person
from tests.support.harness import TestApp
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, listening
from tests.webhooks.told import SCHEDULED, images, stream_of

OTHER = "harmonica wolverine custard"
ACCOUNT = "/settings/account"


@dataclass
class Everything:
    """The scenario. Each part stands alone, on one house."""

    latchkey: TestApp
    recorder: Recorder

    def happens(self) -> None:
        """Let all of it happen."""
        self.public_routes()
        self.users()
        self.keys()
        self.leaks()
        self.services()
        self.signing_up()
        self.choosing_what_ends()
        self.account_page()
        self.key_pages()
        self.webhook_pages()
        self.admin_pages()
        self.admin_application_pages()
        self.application_pages()
        self.code_flow()
        self.reuse()
        self.device_flow()
        self.client_for_itself()
        self.registration()
        self.leaving()
        with listening() as receiver, settings.in_use(replace(settings.current(), public_url=PUBLIC_URL)):
            self.webhooks(receiver)
            self.background(receiver)
        self.anomalies()

    def public_routes(self) -> None:
        """What anyone may see."""
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
        with settings.in_use(replace(settings.current(), security_contact="security@example.com")):
            ok(self.latchkey.call("GET", "/.well-known/security.txt"))
        nobody = dict.fromkeys(("key_id", "webhook_id", "message_id", "client_id", "account_id"), "none")
        ok(*(self.latchkey.call("GET", path.format(**nobody)) for path in FORMS_ON if path not in PAGE_OF_PATH))
        for kind in ("authorization-server", "protected-resource"):
            ok(self.latchkey.call("GET", f"/.well-known/oauth-{kind}"))
        ok(self.latchkey.call("GET", "/.well-known/oauth-protected-resource/v1"))
        with settings.in_use(replace(settings.current(), public_url="https://api.example.com/api")):
            ok(self.latchkey.call("GET", "/.well-known/oauth-authorization-server/api"))

    def users(self) -> None:
        """The API of accounts, as oneself and as an admin."""
        call, admin = self.latchkey.call, self.latchkey.account(tiers.ENTERPRISE, name="Root", admin=True)
        secret = self.latchkey.key(admin, "read", "write", "admin").secret
        ok(call("GET", "/v1/limits", secret), call("GET", "/v1/users/me", secret), call("GET", "/v1/users", secret))
        ok(call("PATCH", "/v1/users/me", secret, json_body={"name": "Rooty"}))
        made = call("POST", "/v1/users", secret, json_body={"email": "new@example.com", "name": "New"})
        ok(made, call("GET", f"/v1/users/{made.json()['id']}", secret))
        again = call("POST", "/v1/users", secret, json_body={"email": "new@example.com", "name": "New"})
        assert again.status == 409
        for standing in ({"tier": "pro"}, {"status": "suspended"}, {"status": "active"}):
            ok(call("PATCH", f"/v1/users/{made.json()['id']}", secret, json_body=standing))

    def keys(self) -> None:
        """The API of keys: made, read, changed, rotated, revoked, refused."""
        call, account = self.latchkey.call, person()
        secret = self.latchkey.key(account, "read", "write", "keys", "events").secret
        ok(call("GET", "/v1/events", secret))
        made = call("POST", "/v1/keys", secret, json_body={"name": "CI", "scopes": ["read", "write"]})
        path = f"/v1/keys/{made.json()['id']}"
        ok(made, call("GET", "/v1/keys", secret), call("GET", path, secret))
        ok(call("PATCH", path, secret, json_body={"name": "CI 2", "scopes": ["read"]}))
        rotated = call("POST", f"{path}/rotate", secret, json_body={"grace_s": 60})
        ok(rotated, call("DELETE", f"/v1/keys/{rotated.json()['id']}", secret), call("DELETE", path, secret))
        self.latchkey.counted(account.id, tiers.FREE, used=1000)
        assert call("GET", "/v1/limits", secret).status == 429
        self.latchkey.clock.forward(3600)
        ok(call("GET", "/v1/limits", secret))

    def leaks(self) -> None:
        """Leaked secrets: a key's in public and elsewhere, a token's, one that nobody has."""
        public, elsewhere, before = (self.latchkey.key(person()) for _ in range(3))
        rotate.rotate(verify(before.secret), before.key.id, 60)
        change_key(elsewhere.key.account_id, elsewhere.key.id, name=None, wanted=None, on_anomaly="narrow")
        token, _ = new_user(self.latchkey).grant(register_client(self.latchkey))
        tokens = [alert(secret) for secret in (public.secret, before.secret, token, secrets.mint("test"))]
        ok(report(self.latchkey, *tokens, alert(elsewhere.secret, public=False)))

    def services(self) -> None:
        """A service that is shown somebody's secret: a key's, a token's, a revoked one's."""
        admin = self.latchkey.account(tiers.ENTERPRISE, name="Service", admin=True)
        service = self.latchkey.key(admin, "verify").secret
        token, _ = new_user(self.latchkey).grant(register_client(self.latchkey))
        for secret in (self.latchkey.key(self.latchkey.account()).secret, token, "nonsense"):
            ok(self.latchkey.call("POST", "/v1/verify", service, json_body={"secret": secret}))

    def signing_up(self) -> None:
        """From nothing to a session, in again and out, and a forgotten password."""
        console = ConsoleClient(self.latchkey)
        ok(console.submit("/signup", email="grace@example.com", name="Grace", password=PASSWORD))
        ok(console.submit(self.link()), console.open("/login"))
        ok(console.submit("/logout", on=ACCOUNT), console.log_in("grace@example.com"))
        ok(ConsoleClient(self.latchkey).submit("/signup", email="grace@example.com", name="Eve", password=PASSWORD))
        for email in ("grace@example.com", "nobody@example.com"):
            ok(ConsoleClient(self.latchkey).submit("/forgot", email=email))
            assert ConsoleClient(self.latchkey).log_in(email, "not the password").status == 401
        self.recorder.letters.pop()  # what is only pretended
        ok(ConsoleClient(self.latchkey).submit(self.link(), password=OTHER))
        ok(ConsoleClient(self.latchkey).log_in("grace@example.com", OTHER))

    def choosing_what_ends(self) -> None:
        """A password is set by a link and everything ticked; the function is killed, or ends what it can."""
        for is_killed in (True, False):
            ada = new_user(self.latchkey)
            app = register_client(self.latchkey, owner=ada.account)
            hook = endpoints.create(ada.account.id, url="https://example.com/", name="Ledger", types=None)
            chosen = {self.latchkey.key(ada.account).key.id, app.id, hook.id}
            new_user(self.latchkey).grant(app)
            ada.grant(register_client(self.latchkey))
            if is_killed:
                password_reset.new(ada.account.id, chosen | {password_reset.CONNECTED}, by="digest").save()
                continue
            ticket = email_links.new_link(
                ada.account.id, email_links.SET_PASSWORD, email=ada.account.email, epoch=ada.account.session_epoch
            )
            ok(ConsoleClient(self.latchkey).submit(f"/password?ticket={ticket}", password=OTHER, end=chosen))

    def account_page(self) -> None:
        """Name, address, password."""
        ada = new_user(self.latchkey, verified=False)
        ok(ada.open("/settings"), ada.submit(f"{ACCOUNT}/verification", on=ACCOUNT), ada.submit(self.link()))
        ada.log_in_again()
        ok(ada.submit(f"{ACCOUNT}/name", on=ACCOUNT, name="Ada L"))
        ok(ada.submit(f"{ACCOUNT}/email", on=ACCOUNT, email="l@example.com", password=PASSWORD))
        ok(ada.submit(self.link()))
        ok(ada.submit(f"{ACCOUNT}/password", on=ACCOUNT, password=PASSWORD, new_password=OTHER))
        self.latchkey.clock.forward(3600)
        ok(ada.open(ACCOUNT), ada.open("/settings/usage"), ada.open("/settings/activity"))
        ok(ada.open(f"{ACCOUNT}/sessions"), ada.submit(f"{ACCOUNT}/sessions/{ada.session_id}/end"))
        ada.log_in_again()
        ok(ada.submit(f"{ACCOUNT}/log-out-everywhere"))

    def key_pages(self) -> None:
        """Keys, by hand."""
        ada = new_user(self.latchkey)
        ok(ada.submit("/settings/keys/new", name="CI", scopes=["read", "write"]), ada.open("/settings/keys"))
        path = next(url for url in ada.open("/settings/keys").urls if "/settings/keys/key_" in url)
        ok(ada.submit(f"{path}/rename", on=path, name="Web"), ada.submit(f"{path}/narrow", on=path, scopes=["read"]))
        ok(ada.submit(f"{path}/policy", on=path, on_anomaly="revoke"))
        leak_policy.act(ada.account.id, path.rpartition("/")[2], policy="tell", why="requests from a new network")
        ok(ada.submit(f"{path}/usual", on=path))
        ok(ada.submit(f"{path}/rotate", on=path, grace="in 1 hour"), ada.submit(f"{path}/revoke"))

    def webhook_pages(self) -> None:
        """Settings > Webhooks."""
        ada = new_user(self.latchkey)
        place = "/settings/webhooks"
        ok(ada.open(place), ada.open(f"{place}/new"))
        with listening() as receiver, settings.in_use(replace(settings.current(), public_url=PUBLIC_URL)):
            made = endpoints.create(ada.account.id, url=receiver.url, name="Ledger", types=None)
            sent = deliver.send_test(made)
        path = f"{place}/{made.id}"
        hook = {"url": "https://127.0.0.1.nip.invalid/", "name": "Audit"}
        ok(ada.submit(f"{place}/new", on=f"{place}/new", **hook))
        ok(ada.open(path), ada.submit(f"{path}/change", on=path, **hook), ada.submit(f"{path}/secret", on=path))
        one = f"{path}/deliveries/{sent.id}"
        ok(ada.submit(f"{path}/test", on=path), ada.open(one), ada.submit(f"{one}/resend", on=one))
        ok(ada.submit(f"{path}/status", on=path), ada.submit(f"{path}/status", on=path))
        ok(ada.submit(f"{path}/delete", on=path))

    def admin_pages(self) -> None:
        """Other people's accounts."""
        root, ada = new_user(self.latchkey, "Root", admin=True), person()
        path = f"/admin/accounts/{ada.id}"
        ok(root.open("/admin"), root.open(f"/admin?find={ada.email}"), root.open(path))
        key = self.latchkey.key(ada)
        ok(root.open("/admin?find=ada"), root.open(f"{path}/events"))
        ok(root.submit(f"{path}/keys/{key.key.id}/revoke", reason="Found on a forum"))
        ok(root.submit(f"{path}/tier", on=path, tier="pro", reason="Paid"))
        ok(root.submit(f"{path}/suspend", on=path, reason="Abuse"))
        ok(root.submit(f"{path}/reinstate", on=path, reason="A mistake"))

    def admin_application_pages(self) -> None:
        """Anybody's OAuth client."""
        root, app, latchkey = (
            new_user(self.latchkey, "Root", admin=True),
            register_client(self.latchkey),
            "/admin/applications",
        )
        new_user(self.latchkey).grant(app)
        ok(
            root.open(latchkey),
            root.open(f"{latchkey}?client_id={app.id}"),
            root.open(f"{latchkey}/end?client_id={app.id}"),
        )
        for client_id in (app.id, "https://app.example.com/unheard-of.json"):
            ok(root.submit(f"{latchkey}/end?client_id={client_id}", client_id=client_id, reason="Phishing"))

    def application_pages(self) -> None:
        """Applications, by hand."""
        ada, new = new_user(self.latchkey), "/settings/applications/new"
        ok(ada.submit(new, name="Photos", redirect_uris=CALLBACK, kind="confidential", scopes=["read"]))
        path = next(url for url in ada.open("/settings/applications").urls if "/settings/applications/app_" in url)
        ok(ada.submit(f"{path}/change", on=path, name="Pictures", redirect_uris=CALLBACK))
        ok(ada.submit(f"{path}/secret", on=path), ada.submit(f"{path}/delete", on=path))

    def code_flow(self) -> None:
        """Consent, remembered and refused; refreshed, asked about, given back; disconnected."""
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
        # A yes that was said before the address was proven, when no mail was sent yet, is replaced.
        eve = new_user(self.latchkey, "Eve", verified=False)
        with settings.in_use(replace(settings.current(), mail_from="")):
            eve.grant(app)
        self.latchkey.clock.forward(1)
        eve.verify_email()
        eve.grant(app)

    def reuse(self) -> None:
        """A lost answer, and what thieves do."""
        ada, app = new_user(self.latchkey), register_client(self.latchkey)
        _, refresh = ada.grant(app)
        ok(app.refresh(refresh), app.refresh(refresh))
        self.latchkey.clock.forward(31)
        assert app.refresh(refresh).status == 400
        code = ada.code(app)
        ok(app.redeem(code))
        assert app.redeem(code).status == 400

    def device_flow(self) -> None:
        """A device waits, polls too fast, and gets a yes or a no."""
        ada, app = new_user(self.latchkey), register_client(self.latchkey)
        for decision in ("allow", "deny"):
            started = app.post("/oauth/device_authorization", scope="read").json()
            polls = [app.ask(DEVICE, device_code=started["device_code"]).status for _ in range(2)]
            assert polls == [400, 400]
            page = ada.open(f"/device?user_code={started['user_code']}")
            ok(page, ada.send("/device", ada.filled(page, "/device", {"decision": decision})))
            self.latchkey.clock.forward(30)
            answer = app.ask(DEVICE, device_code=started["device_code"])
            assert answer.status == (200 if decision == "allow" else 400)

    def client_for_itself(self) -> None:
        """A client in its own name."""
        answer = register_client(self.latchkey).ask(CLIENT)
        ok(answer, self.latchkey.call("GET", "/v1/limits", answer.json()["access_token"]))

    def registration(self) -> None:
        """A client that registers itself, shows itself, changes and goes; people had said yes to it."""
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

    def leaving(self) -> None:
        """An account with a key, an application and a connection is deleted by its person."""
        ada = new_user(self.latchkey)
        self.latchkey.key(ada.account)
        ada.grant(register_client(self.latchkey, owner=ada.account))
        endpoints.create(ada.account.id, url="https://example.com/", name="Ledger", types=None)
        fan_out.put(_events(ada.account.id))
        email_links.new_link(
            ada.account.id, email_links.CHANGE_EMAIL, email="next@example.com", epoch=ada.account.session_epoch
        )
        self.latchkey.clock.forward(1)
        ada.delete_account()
        # Where others granted more than a slice, the minute's function goes on.
        app = register_client(self.latchkey)
        for _ in range(SLICE + 1):
            grants.new(ada.account.id, app.id, scopes={"read"}, resources=set()).save()
        change.set_standing(str(app.client.account_id), tier=None, status=SUSPENDED, actor="operator")

    def webhooks(self, receiver: Receiver) -> None:
        """The API of webhooks, and what of it people see."""
        call, ada = self.latchkey.call, person()
        secret = self.latchkey.key(ada, "webhooks").secret
        made = call("POST", "/v1/webhooks", secret, json_body={"url": receiver.url, "name": "Ledger"})
        path = f"/v1/webhooks/{made.json()['id']}"
        ok(made, call("GET", "/v1/webhooks", secret), call("GET", path, secret))
        ok(call("PATCH", path, secret, json_body={"name": "Audit"}), call("POST", f"{path}/rotate", secret))
        sent = call("POST", f"{path}/test", secret)
        log = f"{path}/deliveries"
        one = f"{log}/{sent.json()['id']}"
        ok(sent, call("GET", log, secret), call("GET", one, secret), call("POST", f"{one}/resend", secret))
        receiver.says = [500, 204, 410, 204]
        ok(*(call("POST", f"{path}/test", secret) for _ in range(3)))
        ok(call("PATCH", path, secret, json_body={"status": "enabled"}), call("DELETE", path, secret))

    def background(self, receiver: Receiver) -> None:
        """What the functions without a request do: deliver, fail, give up, drop, and find what was lost."""
        incidents.update(incidents.open_one("Slow", "Looking into it.", ["api"]).at, "Mended.", states.RESOLVED)
        for function, act in ((STREAM, self._streams), (MINUTE, _minute), (HOUR, _hour)):
            ada = person()
            hooks = [endpoints.create(ada.id, url=receiver.url, name=name, types=None) for name in ("A", "B", "C")]
            endpoints.disable(hooks[2], BY_ACCOUNT)
            for says in ([204, 500], [500, 204], [410]):
                receiver.says = says
                change.rename(ada.id, f"Ada {says}")
                if function == MINUTE:
                    fan_out.put(_events(ada.id))
                    endpoint_lock.fall_behind(hooks[0])
                with self.recorder.within(function):
                    act(ada.id)
                self.latchkey.clock.forward(90)
            # Somebody else sends to it.
            later_ms = clock.now_ms() + clock.HOUR_S * 1000
            Endpoint(ada.id, hooks[0].id).update(actions=[Endpoint.busy_until.set(later_ms)])
            change.rename(ada.id, "Ada")
            with self.recorder.within(function):
                act(ada.id)
            for hook in hooks:
                endpoints.enable(hook)
                change.rename(ada.id, "Ada")
                fan_out.put(_events(ada.id))
                endpoints.disable(hook, BY_ACCOUNT)
            change.set_standing(ada.id, tier=tiers.PRO, status=None, actor="operator")
            # Whoever deletes it dies before the mark is set.
            self.latchkey.clock.forward(1)
            with models.transaction() as write:
                record.add_to(write, ada.id, kinds.ACCOUNT_DELETED, {})
            with self.recorder.within(function):
                act(ada.id)

    def anomalies(self) -> None:
        """A key that behaves strangely, of each policy, and what the hourly look does about it."""
        for chosen in on_anomaly.ALL:
            account = person()
            issued = used_for_days(self.latchkey, account)
            Credential(issued.key.digest).update(actions=[Credential.on_anomaly.set(chosen)])
            counter = counter_items.counter_of(issued.key.id)
            new = {NETWORK: counter, "nBBBBBBBB": counter}
            item(account, clock.hour_of(clock.now_s()), {counter: 50}, new)
            with self.recorder.within(HOUR):
                _hour(account.id)

    def _streams(self, account_id: str) -> None:
        background.stream(stream_of(account_id), None)

    def link(self) -> str:
        """Return the link in the newest letter that has one, as path and query."""
        urls = [re.findall(r"https?://[^/\s]+(/\S+\?ticket=\S+)", letter) for letter in self.recorder.letters]
        return str([found[-1] for found in urls if found][-1])


def _minute(_account_id: str) -> None:
    background.minute(SCHEDULED, None)


def _hour(_account_id: str) -> None:
    background.hour(SCHEDULED, None)


def _events(account_id: str) -> list[Event]:
    return [Event.from_raw_data(image) for image in images(account_id)]


def ok(*answers: Answer | Page) -> None:
    """Insist that every answer is one that was hoped for."""
    for answer in answers:
        told = answer.body if isinstance(answer, Answer) else answer.text
        assert answer.status < 400, (answer.status, told)
