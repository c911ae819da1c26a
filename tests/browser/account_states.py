"""The pages of accounts, members, invitations and the profile, in each of their visual states."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.cast import Cast
from tests.browser.page_state import PageState, at, submit


def _member(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/members")
    page.get_by_role("link", name="Manage").first.click()


def _transfer(page: Page, cast: Cast) -> None:
    page.goto(f"{cast.console.url}/settings/members/{cast.member.user_id}")
    page.get_by_role("link", name="Transfer the account").click()


def _invitation(page: Page, cast: Cast) -> None:
    page.goto(cast.invitation)


def _of_ada(path: str) -> Callable[[Page, Cast], None]:
    """Return a function that opens a page of Ada's account as one of its members."""

    def open_page(page: Page, cast: Cast) -> None:
        page.goto(f"{cast.console.url}/settings/accounts")
        opens = page.get_by_role("button", name=f"Open {cast.ada.name}")
        if opens.is_visible():
            opens.click()
        page.goto(cast.console.url + path)

    return open_page


ACCOUNT_STATES = [
    PageState("account", "ada", at("/settings/account")),
    PageState("account-long", "new", at("/settings/account")),
    PageState("account-rejected", "ada", submit("/settings/account", "Delete this account", password="not the one")),
    PageState("account-viewer", "member", _of_ada("/settings/account")),
    PageState("account-refused", "member", _of_ada("/settings/webhooks")),
    PageState("account-suspended", "suspended", at("/settings/keys")),
    PageState("accounts", "member", at("/settings/accounts")),
    PageState("accounts-none", "leaver", at("/settings/accounts")),
    PageState("accounts-unconfirmed", "new", at("/settings/accounts")),
    PageState("accounts-rejected", "ada", submit("/settings/accounts", "Create account", name="   ")),
    PageState("profile", "ada", at("/settings/profile")),
    PageState("profile-no-account", "leaver", at("/settings/profile")),
    PageState("profile-unconfirmed", "new", at("/settings/profile")),
    PageState("profile-rejected", "ada", submit("/settings/profile", "Delete my user", password="not the one")),
    PageState("activity-own", "ada", at("/settings/profile/activity")),
    PageState("members", "ada", at("/settings/members")),
    PageState("members-viewer", "member", _of_ada("/settings/members")),
    PageState("member", "ada", _member),
    PageState("member-transfer", "ada", _transfer),
    PageState("members-rejected", "ada", submit("/settings/members", "Invite", email="ada@invalid..example")),
    PageState("invitation-new-user", "", _invitation),
]
