"""The text of each email to a verified and to an unverified address."""

import pytest

from chalicelib.accounts import emails
from chalicelib.accounts.email_sender import EmailMessage
from chalicelib.accounts.tables import User

LINK = "https://api.example.com/x"
UNREQUESTED = "\n\nIf you didn't request this, ignore this email: nothing changes unless the link is used."


def user(*, verified: bool) -> User:
    """Return a user whose typed address differs from their claim."""
    return User(
        "usr_x",
        email="ada@example.com",
        typed_email="Ada@example.com",
        name="Ada",
        email_verified_at=1 if verified else None,
    )


@pytest.mark.parametrize(
    "message",
    [
        emails.confirm_sign_up("new@example.com", LINK),
        emails.confirm_new_address("new@example.com", LINK),
        emails.reset_without_user("new@example.com", LINK),
    ],
    ids=["sign_up", "new_address", "reset_without_user"],
)
def test_email_to_an_address_without_a_user_has_no_name(message: EmailMessage) -> None:
    """An email to an address without a user contains a link and instructions for recipients who didn't
    request it.
    """
    assert message.to == "new@example.com"
    assert message.text.startswith("Hello,\n\n")
    assert message.text.endswith(f"(the link expires in 1 hour):\n\n{LINK}{UNREQUESTED}")


@pytest.mark.parametrize(("verified", "greeting"), [(True, "Hi Ada,\n\n"), (False, "Hello,\n\n")])
def test_name_is_only_in_emails_to_a_verified_address(verified: bool, greeting: str) -> None:
    """Emails to an unverified address omit the user's name, which someone else may have typed."""
    ada = user(verified=verified)
    for message in (
        emails.address_has_user(ada, LINK, f"{LINK}/reset"),
        emails.reset(ada, LINK),
        emails.password_changed(ada, LINK),
        emails.email_changed(ada, "new@example.com"),
        emails.anomaly_handled(ada, key="CI", hint="lk_live_…aB3x", why="w", done="revoked", link=LINK),
        emails.leaked(ada, kind="API key", name="CI", hint="lk_live_…aB3x", where="w", done="d", link=LINK),
    ):
        assert message.text.startswith(greeting)
        assert ("Ada" in message.text) is verified
        assert message.to == "Ada@example.com"
    confirm = "Confirm your email address for Latchkey (the link expires in 1 hour)"
    assert emails.verify(ada, LINK).text == f"Hello,\n\n{confirm}:\n\n{LINK}{UNREQUESTED}"


@pytest.mark.parametrize(("verified", "new"), [(True, "new@example.com"), (False, "another address")])
def test_old_address_gets_the_new_one_only_if_it_was_verified(verified: bool, new: str) -> None:
    """The notice to a former address shows the new address only if the former address was verified."""
    text = emails.email_changed(user(verified=verified), "new@example.com").text
    assert f"The email address of your Latchkey log-in was changed to {new}. If this wasn't you" in text
    assert LINK not in text


@pytest.mark.parametrize(("verified", "named"), [(True, "CI"), (False, "lk_live_…aB3x")])
@pytest.mark.parametrize("link", [LINK, ""])
def test_key_is_named_by_its_preview_in_emails_to_an_unverified_address(verified: bool, named: str, link: str) -> None:
    """Emails to an unverified address show a key's preview instead of its name."""
    ada, end = user(verified=verified), f"\n\nView it here:\n\n{link}" if link else ""
    stopped = emails.anomaly_handled(ada, key="CI", hint="lk_live_…aB3x", why="too much", done="revoked", link=link)
    assert stopped.subject == f"Your API key {named} was revoked"
    assert f"unusual activity of your API key {named}: too much. As set in its policy, it was revoked." in stopped.text
    assert stopped.text.endswith(f"it was revoked.{end}")
    leaked = emails.leaked(
        ada, kind="API key", name="CI", hint="lk_live_…aB3x", where="At a.example.", done="It was revoked.", link=link
    )
    assert leaked.subject == f"Your API key {named} has leaked"
    found = "\n\nAt a.example." if verified else ""
    assert leaked.text.endswith(f"can read it.{found}\n\nIt was revoked.{end}")


def test_email_to_a_known_address_has_links_to_log_in_and_to_reset_the_password() -> None:
    """The email for a sign-up with a known address contains links to log in and to reset the password."""
    text = emails.address_has_user(user(verified=True), LINK, f"{LINK}/reset").text
    assert f"{LINK}/reset\n\n" in text
    assert text.endswith(f"To log in:\n\n{LINK}{UNREQUESTED}")
