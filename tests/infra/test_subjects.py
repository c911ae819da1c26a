"""Which user and account the operator's commands act on: `EMAIL=` alone, `ACCOUNT=` alone, or both."""

import pytest

from chalicelib.accounts import find, roles
from chalicelib.accounts.create import create_further_account
from chalicelib.credentials import scopes
from chalicelib.credentials.verify import verify
from chalicelib.limits import tiers
from tests.infra.test_manage import Command, command
from tests.support.harness import AccountOfTest, TestApp

__all__ = ["command"]
ACTS = (["tier", "--tier=pro"], ["suspend"], ["reinstate"])


@pytest.fixture
def grace(latchkey: TestApp) -> AccountOfTest:
    """A developer in the account of another user, who also has an account of her own."""
    return latchkey.member(latchkey.account(name="Ada"), roles.DEVELOPER)


@pytest.mark.parametrize("words", ACTS, ids=[words[0] for words in ACTS])
def test_account_is_found_by_its_id(grace: AccountOfTest, command: Command, words: list[str]) -> None:
    """A command on an account takes ACCOUNT without EMAIL, and changes that account only."""
    printed = command(words[0], f"--account={grace.id}", *words[1:])
    assert printed.startswith(f"{grace.id} is ")
    (own,) = (grace.user.account_ids or set()) - {grace.id}
    assert find.account_by_id(own).tier == "free"
    assert find.account_by_id(own).status == "active"


def test_account_is_found_by_its_only_owner(latchkey: TestApp, command: Command) -> None:
    """EMAIL is enough if the user belongs to one account; the output has the account's id."""
    ada = latchkey.account(name="Ada")
    assert command("suspend", f"--email={ada.email}").startswith(f"{ada.id} ({ada.email}) is suspended: ")
    assert find.account_by_id(ada.id).status == "suspended"


@pytest.mark.parametrize("words", [["key"], *ACTS], ids=["key", *(words[0] for words in ACTS)])
def test_several_accounts_are_listed(grace: AccountOfTest, command: Command, words: list[str]) -> None:
    """If the user belongs to several accounts and none is named, one line lists them with the user's role."""
    said = command.refused(words[0], f"--email={grace.email}", *words[1:])
    (own,) = (grace.user.account_ids or set()) - {grace.id}
    assert said == (
        f"{grace.email} belongs to 2 accounts. Choose one with ACCOUNT=: "
        f"{grace.id} ('Ada', developer), {own} ('Grace', owner).\n"
    )
    command(words[0], f"--email={grace.email}", f"--account={grace.id}", *words[1:])


def test_user_must_be_a_member_of_the_named_account(latchkey: TestApp, command: Command, grace: AccountOfTest) -> None:
    """A user who isn't a member of the named account is an error, for a key as for any other command."""
    other = latchkey.account(name="Eve")
    for words in (["key"], ["suspend"]):
        said = command.refused(*words, f"--email={grace.email}", f"--account={other.id}")
        assert said == f"{grace.email} isn't a member of {other.id}.\n"
    assert find.account_by_id(other.id).status == "active"
    unknown = command.refused("suspend", "--account=acc_00000000000000000000")
    assert unknown == "There is no such account.\n"
    assert command.refused("suspend", "--account=ada").startswith("ACCOUNT takes an account's id, like acc_…")


def test_user_without_an_account_has_no_key(latchkey: TestApp, command: Command) -> None:
    """A user who has left every account is named in the error."""
    ada = latchkey.account(name="Ada")
    ada.user.update(actions=[type(ada.user).account_ids.remove()])
    assert command.refused("key", f"--email={ada.email}") == f"{ada.email} belongs to no account.\n"


def test_key_is_the_users_in_the_chosen_account(grace: AccountOfTest, command: Command) -> None:
    """A key belongs to the user and the account, with the user's role; scopes that the role lacks are refused."""
    words = (f"--email={grace.email}", f"--account={grace.id}")
    principal = verify(command("key", *words, "--scopes=read events").strip())
    assert (principal.account_id, principal.user_id) == (grace.id, grace.user_id)
    assert principal.role == roles.DEVELOPER
    said = command.refused("key", *words, "--scopes=webhooks")
    assert said == f"{grace.email} can't have the scope webhooks in {grace.id}: the role developer lacks it.\n"
    assert scopes.WEBHOOKS not in scopes.OF_ROLE[roles.DEVELOPER]


def test_further_account_of_an_owner_can_be_chosen(latchkey: TestApp, command: Command) -> None:
    """Both accounts of one owner are found by id, and a password link needs none of them."""
    ada = latchkey.account(name="Ada")
    second = create_further_account(ada.user, name="Ledger", tier=tiers.FREE).account
    command("tier", f"--email={ada.email}", f"--account={second.id}", "--tier=enterprise")
    assert (find.account_by_id(second.id).tier, find.account_by_id(ada.id).tier) == ("enterprise", "free")
    assert "/password?ticket=" in command("password-link", f"--email={ada.email}")
