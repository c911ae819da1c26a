"""Every page of the console in every state that looks different, and how to get there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from playwright.sync_api import Page

from tests.browser import applications
from tests.browser.console import PASSWORD, Console, Key, Person

LONG = "Wolfeschlegelsteinhausenbergerdorff" * 2
"""A name without a space in it, as long as a key's may be but for some."""


@dataclass(frozen=True)
class Cast:
    """The people whose pages are looked at, each made when first asked for."""

    console: Console

    @cached_property
    def ada(self) -> Person:
        """Someone with keys of every state and a month of usage."""
        return self.console.person("Ada Lovelace", tier="pro")

    @cached_property
    def keys(self) -> dict[str, str]:
        """Ada's keys, by name."""
        return self.console.demo(self.ada)

    @cached_property
    def new(self) -> Person:
        """Someone with nothing yet, whose address isn't confirmed and who has a long name."""
        return self.console.person(LONG, verified=False, email=f"{LONG[:60]}@{LONG[:60]}.example.com".lower())

    @cached_property
    def admin(self) -> Person:
        """An administrator."""
        return self.console.person("Grace Hopper", tier="enterprise", admin=True)

    @cached_property
    def stranger(self) -> str:
        """The client id of a program that registered itself, under a long name."""
        return applications.register_itself(self.console, f"Ledger {LONG}")

    @cached_property
    def watched(self) -> Person:
        """Someone with two keys about which something was noticed."""
        return self.console.person("Katherine Johnson")

    @cached_property
    def strange(self) -> Key:
        """One of them: it leaked, too."""
        other, key = (self.console.key(self.watched, name=name) for name in (LONG[:64], "Storefront"))
        for each in (other, key):
            self.console.unusual(self.watched, each.id, "requests from a new network")
        self.console.leaked(key)
        return key

    @cached_property
    def spare(self) -> Key:
        """A key of the administrator's, with a long name."""
        return self.console.key(self.admin, "read", "write", "keys", "admin", name=LONG[:64])


@dataclass(frozen=True, slots=True)
class Sight:
    """One page in one state: who looks at it ("" for a guest), and how to get there.

    Where only one `part` (a selector) of a long page differs from the sight `like` it, only that is looked at.
    """

    name: str
    who: str
    way: Callable[[Page, Cast], None]
    like: str = ""
    part: str | None = None

    def open(self, page: Page, cast: Cast) -> None:
        """Go there, and return when the page is whole: after a click it may have come without its styles yet."""
        self.way(page, cast)
        page.wait_for_load_state()


def _at(path: str) -> Callable[[Page, Cast], None]:
    def open_path(page: Page, cast: Cast) -> None:
        page.goto(cast.console.url + path)

    return open_path


def _sent(path: str, button: str, **fields: str) -> Callable[[Page, Cast], None]:
    """Open a page and send its form."""

    def send(page: Page, cast: Cast) -> None:
        page.goto(cast.console.url + path)
        _fill_in(page, button, **fields)

    return send


def _fill_in(page: Page, button: str, **fields: str) -> None:
    form = page.locator("form").filter(has=page.get_by_role("button", name=button, exact=True))
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.get_by_role("button", name=button, exact=True).click()


def _key(name: str, after: str = "") -> Callable[[Page, Cast], None]:
    def open_key(page: Page, cast: Cast) -> None:
        page.goto(f"{cast.console.url}/settings/keys/{cast.keys[name]}{after}")

    return open_key


def _with_demo(path: str) -> Callable[[Page, Cast], None]:
    def open_path(page: Page, cast: Cast) -> None:
        assert cast.keys
        page.goto(cast.console.url + path)

    return open_path


def _long_key(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/keys/{cast.spare.id}")


def _strange(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/keys/{cast.strange.id}")


def _strange_list(page: Page, cast: Cast) -> None:
    assert cast.strange
    page.goto(f"{cast.console.url}/settings/keys")


def _rotated(page: Page, cast: Cast) -> None:
    key = cast.console.key(cast.admin, name=LONG[:64])
    page.goto(f"{cast.console.url}/settings/keys/{key.id}")
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_role("button", name="Rotate key").click()


def _link(path: str, button: str, after: Callable[[Page], None] | None = None) -> Callable[[Page, Cast], None]:
    def open_link(page: Page, cast: Cast) -> None:
        someone = cast.console.person("Grace", verified=False)
        if path == "/forgot":
            _sent(path, button, email=someone.email)(page, cast)
        else:
            email = f"new.{someone.email}"
            _sent(path, button, email=email, name="Grace", password=PASSWORD)(page, cast)
            page.goto(cast.console.link(email))
            return
        page.goto(cast.console.link(someone.email))
        if after:
            after(page)

    return open_link


def _password_of_somebody_with_everything(page: Page, cast: Cast) -> None:
    assert cast.strange
    applications.register(page, cast.console, LONG)
    _webhook(page, cast, LONG[:64])
    _sent("/forgot", "Send reset link", email=cast.watched.email)(page, cast)
    page.goto(cast.console.link(cast.watched.email))


def _too_many_attempts(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/login")
    for _ in range(4):
        _fill_in(page, "Log in", email=f"nobody@{cast.console.url[-5:]}.example.com", password="wrong again")


def _too_many_requests(page: Page, cast: Cast) -> None:
    with cast.console.crowded():
        page.goto(cast.console.url)


def _forged(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/login")
    page.context.clear_cookies()
    _fill_in(page, "Log in", email="a@example.com", password="whatever it is")


def _account_of(who: str) -> Callable[[Page, Cast], None]:
    def open_account(page: Page, cast: Cast) -> None:
        assert cast.keys
        page.goto(f"{cast.console.url}/admin/accounts/{getattr(cast, who).id}")

    return open_account


def _suspended(page: Page, cast: Cast) -> None:
    someone = cast.console.person("Mallory")
    page.goto(f"{cast.console.url}/admin/accounts/{someone.id}")
    _fill_in(page, "Set tier", reason="Asked for it in ticket 4711")
    page.get_by_role("link", name="Suspend…").click()
    _fill_in(page, "Suspend", reason=LONG * 2)


def _tried(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/docs")
    trial = page.locator("article", has=page.locator("#show_me"))
    trial.get_by_text("Try it").click()
    trial.get_by_role("button", name="Send").click()
    trial.get_by_text("missing_api_key").wait_for()


def _of_one(kind: str) -> Callable[[Page, Cast], None]:
    def open_it(page: Page, cast: Cast) -> None:
        if kind == "rotate":
            page.goto(f"{cast.console.url}/settings/keys/{cast.spare.id}/rotate")
        elif kind in ("suspend", "events"):
            page.goto(f"{cast.console.url}/admin/accounts/{cast.ada.id}/{kind}")
        else:
            page.goto(f"{cast.console.url}/settings/account/log-out-everywhere")

    return open_it


def _with_menu(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/usage")
    menu = page.get_by_role("button", name="Menu")
    if menu.is_visible():
        menu.click()


def _device(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/device?user_code={applications.device(cast.console, cast.stranger).user_code}")


def _device_done(page: Page, cast: Cast) -> None:
    _device(page, cast)
    page.get_by_role("button", name="Allow").click()


def _application_made(page: Page, cast: Cast) -> None:
    applications.register(page, cast.console, "Ledger sync")


def _webhook(page: Page, cast: Cast, name: str = "Ledger") -> None:
    page.goto(f"{cast.console.url}/settings/webhooks/new")
    # Nobody listens there, and a local run may ask.
    _fill_in(page, "Add webhook", name=name, url="http://127.0.0.1:9/hooks")
    page.get_by_role("link", name="I have stored it").click()


def _webhook_delivery(page: Page, cast: Cast) -> None:
    _webhook(page, cast)
    page.get_by_role("button", name="Send test message").click()


def _webhook_with_log(page: Page, cast: Cast) -> None:
    _webhook_delivery(page, cast)
    page.get_by_role("link", name="Ledger").click()


def _webhook_long(page: Page, cast: Cast) -> None:
    _webhook(page, cast, LONG[:64])
    page.get_by_role("link", name="Disable webhook…").click()
    page.get_by_role("button", name="Disable webhook").click()


def _webhook_types(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/webhooks/new")
    page.locator("summary", has_text="API keys").click()


def _consent_to_a_stranger(page: Page, cast: Cast) -> None:
    page.goto(applications.authorize_url(cast.console, cast.stranger, "read"))


def _application_of_anybody(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/admin/applications?client_id={cast.stranger}")


def _application(page: Page, cast: Cast) -> None:
    applications.register(page, cast.console, LONG)
    page.get_by_role("link", name="I have stored it").click()


def _consent(page: Page, cast: Cast) -> None:
    client_id = applications.register(page, cast.console, "Ledger sync")
    page.goto(applications.authorize_url(cast.console, client_id, "read write"))


def _left(page: Page, cast: Cast) -> None:
    """Allowed, and led to an app of which this machine has none."""
    back = "com.example.app:/back"
    page.goto(
        applications.authorize_url(
            cast.console, applications.register_itself(cast.console, "Ledger sync", back), "read", back
        )
    )
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("link", name="Return to Ledger sync").wait_for()


def _connected(page: Page, cast: Cast) -> None:
    _device_done(page, cast)
    page.goto(f"{cast.console.url}/settings/connected")


def _remembered(page: Page, cast: Cast) -> None:
    """Allowed, and given back by the application."""
    back = f"{cast.console.url}/status"
    client_id = applications.register_itself(cast.console, "Ledger sync", back)
    page.goto(applications.authorize_url(cast.console, client_id, "read write", back))
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{back}?*")
    applications.give_back(cast.console, client_id, page.url)
    page.goto(f"{cast.console.url}/settings/connected")


SIGHTS = [
    Sight("landing", "", _at("/")),
    Sight("login", "", _at("/login")),
    Sight("login-wrong", "", _sent("/login", "Log in", email="a@example.com", password="not the one")),
    Sight("login-too-often", "", _too_many_attempts),
    Sight("signup", "", _at("/signup")),
    Sight("signup-weak", "", _sent("/signup", "Sign up", email="b@example.com", name="B", password="password1234")),
    Sight("signed-up", "", _sent("/signup", "Sign up", email="c@example.com", name="C", password=PASSWORD)),
    Sight("forgot", "", _at("/forgot")),
    Sight("forgot-sent", "", _sent("/forgot", "Send reset link", email="c@example.com")),
    Sight("password", "", _link("/forgot", "Send reset link")),
    Sight(
        "password-weak",
        "",
        _link("/forgot", "Send reset link", lambda page: _fill_in(page, "Set password", password="password1234")),
    ),
    Sight("password-choices", "watched", _password_of_somebody_with_everything),
    Sight("verify", "", _link("/signup", "Sign up")),
    Sight("status-none", "", _at("/status")),
    Sight("spent-link", "", _at("/verify?ticket=lk_ml_spent")),
    Sight("forged", "", _forged),
    Sight("too-many-requests", "", _too_many_requests),
    Sight("docs", "", _at("/docs")),
    Sight("docs-tried", "", _tried, like="docs", part="article:has(#show_me)"),
    Sight("docs-inside", "ada", _at("/docs"), like="docs", part="header.top"),
    Sight("landing-inside", "ada", _at("/")),
    Sight("keys", "ada", _with_demo("/settings/keys")),
    Sight("keys-none", "new", _at("/settings/keys")),
    Sight("keys-revoked", "ada", _with_demo("/settings/keys?done=revoked")),
    Sight("key-new", "ada", _at("/settings/keys/new")),
    Sight("key-new-refused", "admin", _sent("/settings/keys/new", "Generate key", name="   ")),
    Sight("key-made", "ada", _sent("/settings/keys/new", "Generate key", name="Checkout service")),
    Sight("key-rotated", "admin", _rotated),
    Sight("key", "ada", _key("Storefront, rotated")),
    Sight("key-long", "admin", _long_key),
    Sight("key-retiring", "ada", _key("Storefront")),
    Sight("key-ended", "ada", _key("Old dashboard")),
    Sight("key-unusual", "watched", _strange),
    Sight("keys-unusual", "watched", _strange_list),
    Sight("key-revoke", "ada", _key("Laptop", "/revoke")),
    Sight("key-unknown", "ada", _at("/settings/keys/key_unknown")),
    Sight("status", "ada", _with_demo("/status")),
    Sight("usage", "ada", _with_demo("/settings/usage")),
    Sight("activity", "ada", _with_demo("/settings/activity")),
    Sight("webhooks-none", "new", _at("/settings/webhooks")),
    Sight("webhook-new", "ada", _webhook_types),
    Sight("webhook-new-refused", "ada", _sent("/settings/webhooks/new", "Add webhook", name="Ledger", url="no")),
    Sight("webhook-new-unconfirmed", "new", _at("/settings/webhooks/new")),
    Sight(
        "webhook-made", "watched", _sent("/settings/webhooks/new", "Add webhook", name="Ledger", url="https://x.test/")
    ),
    Sight("webhook", "ada", _webhook_with_log),
    Sight("webhook-delivery", "ada", _webhook_delivery),
    Sight("webhook-long", "admin", _webhook_long),
    Sight("webhooks", "ada", _at("/settings/webhooks")),
    Sight("usage-none", "new", _at("/settings/usage")),
    Sight("usage-unlimited", "admin", _at("/settings/usage")),
    Sight("nothing", "", _at("/nothing")),
    Sight("menu", "ada", _with_menu),
    Sight("sessions", "ada", _at("/settings/account/sessions")),
    Sight("confirm-everywhere", "ada", _of_one("everywhere")),
    Sight("confirm-rotate", "admin", _of_one("rotate")),
    Sight("confirm-suspend", "admin", _of_one("suspend")),
    Sight("admin-events", "admin", _of_one("events")),
    Sight("admin-found", "admin", _at("/admin?find=a")),
    Sight("account", "ada", _at("/settings/account")),
    Sight("account-unconfirmed", "new", _at("/settings/account")),
    Sight("account-refused", "ada", _sent("/settings/account", "Delete my account", password="not the one")),
    Sight("applications-none", "new", _at("/settings/applications")),
    Sight("application-new", "ada", _at("/settings/applications/new")),
    Sight("application-made", "ada", _application_made),
    Sight("application", "ada", _application),
    Sight("applications", "ada", _at("/settings/applications")),
    Sight("consent", "ada", _consent),
    Sight("consent-stranger", "ada", _consent_to_a_stranger),
    Sight("consent-left", "ada", _left),
    Sight("consent-unknown", "ada", _at("/oauth/authorize?client_id=nobody")),
    Sight("device", "ada", _at("/device")),
    Sight("device-unknown", "ada", _at("/device?user_code=BCDF-GHJK")),
    Sight("device-consent", "ada", _device),
    Sight("device-done", "ada", _device_done),
    Sight("connected", "ada", _connected),
    Sight("connected-remembered", "ada", _remembered),
    Sight("connected-none", "new", _at("/settings/connected")),
    Sight("admin", "admin", _with_demo("/admin")),
    Sight("admin-application", "admin", _application_of_anybody),
    Sight("admin-application-unknown", "admin", _at("/admin/applications?client_id=https://a.example/client.json")),
    Sight("admin-unknown", "admin", _at("/admin?find=nobody@example.com")),
    Sight("admin-account", "admin", _account_of("ada")),
    Sight("admin-refused", "admin", _suspended),
]
BY_NAME = {sight.name: sight for sight in SIGHTS}
