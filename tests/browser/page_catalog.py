"""Every page of the console in each of its visual states, with a function that opens it."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser import applications
from tests.browser.account_states import ACCOUNT_STATES
from tests.browser.cast import LONG, Cast
from tests.browser.console import PASSWORD
from tests.browser.page_state import PageState, at, fill_in, submit


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


def _unusual_key(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/keys/{cast.unusual_key.id}")


def _unusual_keys(page: Page, cast: Cast) -> None:
    assert cast.unusual_key
    page.goto(f"{cast.console.url}/settings/keys")


def _rotated(page: Page, cast: Cast) -> None:
    key = cast.console.key(cast.admin, name=LONG[:64])
    page.goto(f"{cast.console.url}/settings/keys/{key.id}")
    page.get_by_role("link", name="Rotate…").click()
    page.get_by_role("button", name="Rotate key").click()


def _link(path: str, button: str, after: Callable[[Page], None] | None = None) -> Callable[[Page, Cast], None]:
    def open_link(page: Page, cast: Cast) -> None:
        someone = cast.console.user("Grace", verified=False)
        if path == "/forgot":
            submit(path, button, email=someone.email)(page, cast)
        else:
            email = f"new.{someone.email}"
            submit(path, button, email=email, name="Grace", password=PASSWORD)(page, cast)
            page.goto(cast.console.link(email))
            return
        page.goto(cast.console.link(someone.email))
        if after:
            after(page)

    return open_link


def _password_with_items(page: Page, cast: Cast) -> None:
    assert cast.unusual_key
    applications.register(page, cast.console, LONG)
    _webhook(page, cast, LONG[:64])
    submit("/forgot", "Send reset link", email=cast.alerted.email)(page, cast)
    page.goto(cast.console.link(cast.alerted.email))


def _too_many_attempts(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/login")
    for _ in range(4):
        fill_in(page, "Log in", email=f"nobody@{cast.console.url[-5:]}.example.com", password="wrong again")


def _too_many_requests(page: Page, cast: Cast) -> None:
    with cast.console.crowded():
        page.goto(cast.console.url)


def _forged(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/login")
    page.context.clear_cookies()
    fill_in(page, "Log in", email="a@example.com", password="whatever it is")


def _account_of(who: str) -> Callable[[Page, Cast], None]:
    def open_account(page: Page, cast: Cast) -> None:
        assert cast.keys
        page.goto(f"{cast.console.url}/admin/accounts/{getattr(cast, who).id}")

    return open_account


def _admin_found(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/admin?find={cast.new.email[:5]}")


def _suspended(page: Page, cast: Cast) -> None:
    someone = cast.console.user("Mallory")
    page.goto(f"{cast.console.url}/admin/accounts/{someone.id}")
    fill_in(page, "Set tier", reason="Asked for it in ticket 4711")
    page.get_by_role("link", name="Suspend…").click()
    fill_in(page, "Suspend", reason=LONG * 2)


def _trial(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/docs")
    trial = page.locator("article", has=page.locator("#show_me"))
    trial.get_by_text("Try it").click()
    trial.get_by_role("button", name="Send").click()
    trial.get_by_text("missing_api_key").wait_for()


def _confirmation(kind: str) -> Callable[[Page, Cast], None]:
    def open_it(page: Page, cast: Cast) -> None:
        if kind == "rotate":
            page.goto(f"{cast.console.url}/settings/keys/{cast.spare.id}/rotate")
        elif kind in ("suspend", "events"):
            page.goto(f"{cast.console.url}/admin/accounts/{cast.ada.id}/{kind}")
        else:
            page.goto(f"{cast.console.url}/settings/profile/log-out-everywhere")

    return open_it


def _with_menu(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/usage")
    menu = page.get_by_role("button", name="Menu")
    if menu.is_visible():
        menu.click()


def _device(page: Page, cast: Cast) -> None:
    device = applications.start_device(cast.console, cast.unverified_client)
    page.goto(f"{cast.console.url}/device?user_code={device.user_code}")


def _device_done(page: Page, cast: Cast) -> None:
    _device(page, cast)
    page.get_by_role("button", name="Allow").click()


def _application_created(page: Page, cast: Cast) -> None:
    applications.register(page, cast.console, "Ledger sync")


def _webhook(page: Page, cast: Cast, name: str = "Ledger") -> None:
    page.goto(f"{cast.console.url}/settings/webhooks/new")
    # No server listens at this URL, which a local run accepts although it is http.
    fill_in(page, "Add webhook", name=name, url="http://127.0.0.1:9/hooks")
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


def _consent_unverified(page: Page, cast: Cast) -> None:
    page.goto(applications.authorize_url(cast.console, cast.unverified_client, "read"))


def _admin_application(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/admin/applications?client_id={cast.unverified_client}")


def _application(page: Page, cast: Cast) -> None:
    applications.register(page, cast.console, LONG)
    page.get_by_role("link", name="I have stored it").click()


def _consent(page: Page, cast: Cast) -> None:
    client_id = applications.register(page, cast.console, "Ledger sync")
    page.goto(applications.authorize_url(cast.console, client_id, "read write"))


def _app_opened(page: Page, cast: Cast) -> None:
    """Approve a client whose redirect URI opens an app that isn't installed."""
    back = "com.example.app:/back"
    page.goto(
        applications.authorize_url(
            cast.console, applications.register_dynamically(cast.console, "Ledger sync", back), "read", back
        )
    )
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("link", name="Return to Ledger sync").wait_for()


def _connected(page: Page, cast: Cast) -> None:
    _device_done(page, cast)
    page.goto(f"{cast.console.url}/settings/connected")


def _remembered(page: Page, cast: Cast) -> None:
    """Approve a client that then revokes its grant."""
    back = f"{cast.console.url}/status"
    client_id = applications.register_dynamically(cast.console, "Ledger sync", back)
    page.goto(applications.authorize_url(cast.console, client_id, "read write", back))
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{back}?*")
    applications.revoke_grant(cast.console, client_id, page.url)
    page.goto(f"{cast.console.url}/settings/connected")


PAGE_STATES = [
    PageState("landing", "", at("/")),
    PageState("login", "", at("/login")),
    PageState("login-wrong", "", submit("/login", "Log in", email="a@example.com", password="not the one")),
    PageState("login-too-often", "", _too_many_attempts),
    PageState("signup", "", at("/signup")),
    PageState(
        "signup-weak", "", submit("/signup", "Sign up", email="b@example.com", name="B", password="password1234")
    ),
    PageState("signed-up", "", submit("/signup", "Sign up", email="c@example.com", name="C", password=PASSWORD)),
    PageState("forgot", "", at("/forgot")),
    PageState("forgot-sent", "", submit("/forgot", "Send reset link", email="c@example.com")),
    PageState("password", "", _link("/forgot", "Send reset link")),
    PageState(
        "password-weak",
        "",
        _link("/forgot", "Send reset link", lambda page: fill_in(page, "Set password", password="password1234")),
    ),
    PageState("password-choices", "alerted", _password_with_items),
    PageState("verify", "", _link("/signup", "Sign up")),
    PageState("status-none", "", at("/status")),
    PageState("spent-link", "", at("/verify?ticket=lk_ml_spent")),
    PageState("forged", "", _forged),
    PageState("too-many-requests", "", _too_many_requests),
    PageState("docs", "", at("/docs")),
    PageState("docs-tried", "", _trial, like="docs", part="article:has(#show_me)"),
    PageState("docs-inside", "ada", at("/docs"), like="docs", part="header.top"),
    PageState("landing-inside", "ada", at("/")),
    PageState("keys", "ada", _with_demo("/settings/keys")),
    PageState("keys-none", "new", at("/settings/keys")),
    PageState("keys-revoked", "ada", _with_demo("/settings/keys?done=revoked")),
    PageState("key-new", "ada", at("/settings/keys/new")),
    PageState("key-new-rejected", "admin", submit("/settings/keys/new", "Generate key", name="   ")),
    PageState("key-created", "ada", submit("/settings/keys/new", "Generate key", name="Checkout service")),
    PageState("key-rotated", "admin", _rotated),
    PageState("key", "ada", _key("Storefront, rotated")),
    PageState("key-long", "admin", _long_key),
    PageState("key-retiring", "ada", _key("Storefront")),
    PageState("key-ended", "ada", _key("Old dashboard")),
    PageState("key-unusual", "alerted", _unusual_key),
    PageState("keys-unusual", "alerted", _unusual_keys),
    PageState("key-revoke", "ada", _key("Laptop", "/revoke")),
    PageState("key-unknown", "ada", at("/settings/keys/key_unknown")),
    PageState("status", "ada", _with_demo("/status")),
    PageState("usage", "ada", _with_demo("/settings/usage")),
    PageState("activity", "ada", _with_demo("/settings/activity")),
    PageState("webhooks-none", "new", at("/settings/webhooks")),
    PageState("webhook-new", "ada", _webhook_types),
    PageState("webhook-new-rejected", "ada", submit("/settings/webhooks/new", "Add webhook", name="Ledger", url="no")),
    PageState("webhook-new-unconfirmed", "new", at("/settings/webhooks/new")),
    PageState(
        "webhook-created",
        "alerted",
        submit("/settings/webhooks/new", "Add webhook", name="Ledger", url="https://x.test/"),
    ),
    PageState("webhook", "ada", _webhook_with_log),
    PageState("webhook-delivery", "ada", _webhook_delivery),
    PageState("webhook-long", "admin", _webhook_long),
    PageState("webhooks", "ada", at("/settings/webhooks")),
    PageState("usage-none", "new", at("/settings/usage")),
    PageState("usage-unlimited", "admin", at("/settings/usage")),
    PageState("nothing", "", at("/nothing")),
    PageState("menu", "ada", _with_menu),
    PageState("sessions", "ada", at("/settings/profile/sessions")),
    PageState("confirm-everywhere", "ada", _confirmation("everywhere")),
    PageState("confirm-rotate", "admin", _confirmation("rotate")),
    PageState("confirm-suspend", "admin", _confirmation("suspend")),
    PageState("admin-events", "admin", _confirmation("events")),
    PageState("admin-found", "admin", _admin_found),
    *ACCOUNT_STATES,
    PageState("applications-none", "new", at("/settings/applications")),
    PageState("application-new", "ada", at("/settings/applications/new")),
    PageState("application-created", "ada", _application_created),
    PageState("application", "ada", _application),
    PageState("applications", "ada", at("/settings/applications")),
    PageState("consent", "ada", _consent),
    PageState("consent-unverified", "ada", _consent_unverified),
    PageState("consent-app-opened", "ada", _app_opened),
    PageState("consent-unknown", "ada", at("/oauth/authorize?client_id=nobody")),
    PageState("device", "ada", at("/device")),
    PageState("device-unknown", "ada", at("/device?user_code=BCDF-GHJK")),
    PageState("device-consent", "ada", _device),
    PageState("device-done", "ada", _device_done),
    PageState("connected", "ada", _connected),
    PageState("connected-remembered", "ada", _remembered),
    PageState("connected-none", "new", at("/settings/connected")),
    PageState("admin", "admin", _with_demo("/admin")),
    PageState("admin-application", "admin", _admin_application),
    PageState("admin-application-unknown", "admin", at("/admin/applications?client_id=https://a.example/client.json")),
    PageState("admin-unknown", "admin", at("/admin?find=nobody@example.com")),
    PageState("admin-account", "admin", _account_of("ada")),
    PageState("admin-rejected", "admin", _suspended),
]
BY_NAME = {page_state.name: page_state for page_state in PAGE_STATES}
