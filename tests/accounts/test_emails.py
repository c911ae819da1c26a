"""What each mail says, to an address that was verified and to one that wasn't."""

import pytest

from chalicelib.accounts import emails
from chalicelib.accounts.email_sender import Letter
from chalicelib.accounts.tables import Account

LINK = "https://api.example.com/x"
IGNORE = "\n\nIf this wasn't you, you can ignore this mail: nothing changes unless the link is used."


def account(*, verified: bool) -> Account:
    """Return an account whose address was typed in another spelling than it is claimed in."""
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
def test_letter_to_an_address_without_an_account_greets_nobody_by_name(letter: Letter) -> None:
    """It holds its link, and says what to do when it was asked for by somebody else."""
    assert letter.to == "new@example.com"
    assert letter.text.startswith("Hello,\n\n")
    assert letter.text.endswith(f":\n\n{LINK}{IGNORE}")


@pytest.mark.parametrize(("verified", "hello"), [(True, "Hello Ada,\n\n"), (False, "Hello,\n\n")])
def test_name_stands_only_in_mail_to_a_verified_address(verified: bool, hello: str) -> None:
    """Whoever typed the name may be a stranger to the address until then."""
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
    assert emails.verify(ada, LINK).text == f"Hello,\n\nconfirm this address within the hour:\n\n{LINK}{IGNORE}"


@pytest.mark.parametrize(("verified", "said"), [(True, "new@example.com"), (False, "another one")])
def test_old_address_is_told_the_new_one_only_if_it_was_verified(verified: bool, said: str) -> None:
    """An address can say what somebody likes, too."""
    text = emails.email_changed(account(verified=verified), "new@example.com").text
    assert f"the address of your account was changed to {said}. If this wasn't you" in text
    assert LINK not in text


@pytest.mark.parametrize(("verified", "named"), [(True, "CI"), (False, "lk_live_…aB3x")])
@pytest.mark.parametrize("link", [LINK, ""])
def test_key_is_named_by_its_preview_to_an_unverified_address(verified: bool, named: str, link: str) -> None:
    """In subject and text; where there is a page about it, the letter ends with its link."""
    ada, end = account(verified=verified), f"\n\nLook at it here:\n\n{link}" if link else ""
    stopped = emails.key_was_stopped(ada, key="CI", hint="lk_live_…aB3x", why="too much", done="revoked", link=link)
    assert stopped.subject == f"Your API key {named} was revoked"
    assert f"about your API key {named}: too much. As you chose for such a case, it was revoked." in stopped.text
    assert stopped.text.endswith(f"it was revoked.{end}")
    leaked = emails.leaked(
        ada, kind="API key", name="CI", hint="lk_live_…aB3x", where="At a.example.", done="It was revoked.", link=link
    )
    assert leaked.subject == f"Your API key {named} has leaked"
    found = "\n\nAt a.example." if verified else ""
    assert leaked.text.endswith(f"can read it.{found}\n\nIt was revoked.{end}")


def test_owner_of_a_known_address_is_shown_both_ways_on() -> None:
    """To log in, and to choose another password."""
    text = emails.known_already(account(verified=True), LINK, f"{LINK}/reset").text
    assert f"{LINK}/reset\n\n" in text
    assert text.endswith(f"To log in:\n\n{LINK}{IGNORE}")
