"""Texts of the emails to verified and unverified addresses."""

import pytest

from chalicelib.accounts import emails
from chalicelib.accounts.email_sender import Letter
from chalicelib.accounts.tables import Account

LINK = "https://api.example.com/x"
IGNORE = "\n\nIf you didn't request this, you can ignore this email: nothing changes unless the link is used."


def account(*, verified: bool) -> Account:
    """Return an account whose address was entered in a spelling other than the claimed one."""
    return Account(
        "acc_x",
        email="ada@example.com",
        typed_email="Ada@example.com",
        name="Ada",
        email_verified_at=1 if verified else None,
    )


@pytest.mark.parametrize(
    "letter",
    [
        emails.confirm_sign_up("new@example.com", LINK),
        emails.confirm_new_address("new@example.com", LINK),
        emails.reset_of_nobody("new@example.com", LINK),
    ],
    ids=["sign_up", "new_address", "reset_of_nobody"],
)
def test_email_to_an_address_without_an_account_has_no_name(letter: Letter) -> None:
    """It has the link, and can be ignored by a user who didn't request it."""
    assert letter.to == "new@example.com"
    assert letter.text.startswith("Hello,\n\n")
    assert letter.text.endswith(f":\n\n{LINK}{IGNORE}")


@pytest.mark.parametrize(("verified", "hello"), [(True, "Hi Ada,\n\n"), (False, "Hello,\n\n")])
def test_name_is_only_in_emails_to_a_verified_address(verified: bool, hello: str) -> None:
    """An unverified address may belong to someone other than the user who chose the name."""
    ada = account(verified=verified)
    for letter in (
        emails.known_already(ada, LINK, f"{LINK}/reset"),
        emails.reset(ada, LINK),
        emails.password_changed(ada, LINK),
        emails.email_changed(ada, "new@example.com"),
        emails.key_was_stopped(ada, key="CI", hint="lk_live_…aB3x", why="w", done="revoked", link=LINK),
        emails.leaked(ada, kind="API key", name="CI", hint="lk_live_…aB3x", where="w", done="d", link=LINK),
    ):
        assert letter.text.startswith(hello)
        assert ("Ada" in letter.text) is verified
        assert letter.to == "Ada@example.com"
    assert emails.verify(ada, LINK).text == (
        f"Hello,\n\nConfirm your email address for Latchkey (the link expires in 1 hour):\n\n{LINK}{IGNORE}"
    )


@pytest.mark.parametrize(("verified", "to"), [(True, " to new@example.com"), (False, "")])
def test_old_address_gets_the_new_one_only_if_it_was_verified(verified: bool, to: str) -> None:
    """An address is a text that a user chose, too."""
    text = emails.email_changed(account(verified=verified), "new@example.com").text
    assert f"The email address of your account was changed{to}. If this wasn't you" in text
    assert LINK not in text


@pytest.mark.parametrize(("verified", "named"), [(True, "CI"), (False, "lk_live_…aB3x")])
@pytest.mark.parametrize("link", [LINK, ""])
def test_key_is_named_by_its_preview_to_an_unverified_address(verified: bool, named: str, link: str) -> None:
    """This holds for subject and text. The email ends with a link to the key, if it has a page."""
    ada, end = account(verified=verified), f"\n\nView it in the console:\n\n{link}" if link else ""
    stopped = emails.key_was_stopped(ada, key="CI", hint="lk_live_…aB3x", why="too much", done="revoked", link=link)
    assert stopped.subject == f"Your API key {named} was revoked"
    assert f"of your API key {named}: too much. As you chose for this case, it was revoked." in stopped.text
    assert stopped.text.endswith(f"it was revoked.{end}")
    leaked = emails.leaked(
        ada, kind="API key", name="CI", hint="lk_live_…aB3x", where="At a.example.", done="It was revoked.", link=link
    )
    assert leaked.subject == f"Your API key {named} has leaked"
    found = "\n\nAt a.example." if verified else ""
    assert leaked.text.endswith(f"can read it.{found}\n\nIt was revoked.{end}")


def test_email_about_a_known_address_links_to_log_in_and_reset() -> None:
    """The user of the account can log in or reset the password."""
    text = emails.known_already(account(verified=True), LINK, f"{LINK}/reset").text
    assert f"{LINK}/reset\n\n" in text
    assert text.endswith(f"To log in:\n\n{LINK}{IGNORE}")
