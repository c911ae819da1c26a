"""The first verification of an address takes an account back from a user who signed up with somebody else's address."""

import pytest

from chalicelib.accounts import create, email_links, first_proof, members, roles, sessions
from chalicelib.accounts.tables import Account, Member, User
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.credentials.verify import verify
from chalicelib.limits.tiers import FREE
from tests.support.console_client import hash_of, new_account
from tests.support.harness import AccountOfTest, TestApp


def verify_address(account: AccountOfTest) -> None:
    """Use a reset link that was sent to the user's address: the first verification."""
    user = User.get(account.user_id)
    secret = email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch)
    email_links.set_password(email_links.find_link(secret, email_links.SET_PASSWORD), user, hash_of("another"))


def join(account: AccountOfTest, user: User, role: str) -> AccountOfTest:
    """Add a user to an account."""
    with models.transaction() as write:
        members.add_to(write, members.new(account.id, user.id, role, invited_by=account.user_id), user)
        if role == roles.OWNER:
            write.update(Account(account.id), actions=[Account.owners.add(1)])
    return AccountOfTest(members.find(User.get(user.id), account.id))


def is_valid(secret: str) -> bool:
    """Return whether a key is valid."""
    try:
        verify(secret)
    except errors.InvalidApiKey:
        return False
    return True


@pytest.fixture
def squatted(latchkey: TestApp) -> AccountOfTest:
    """An account whose creator signed up with an unverified address."""
    return new_account(name="Eve", verified=False)


@pytest.mark.parametrize("role", roles.ALL)
def test_members_of_the_users_account_lose_it_with_their_keys(
    latchkey: TestApp, squatted: AccountOfTest, role: str
) -> None:
    """A user whom the squatter invited to the account, with any role, is no member afterwards, and their keys in it are
    invalid. The rightful user is the only owner.
    """
    mallory = join(squatted, latchkey.account(name="Mallory").user, role)
    by_squatter, by_mallory = latchkey.key(squatted).secret, latchkey.key(mallory).secret
    cookie = sessions.open_session(squatted.user)
    assert is_valid(by_squatter)
    assert is_valid(by_mallory)
    latchkey.clock.forward(1)
    verify_address(squatted)
    assert not is_valid(by_squatter)
    assert not is_valid(by_mallory)
    assert sessions.session_of(cookie) is None
    account, user = Account.get(squatted.id), User.get(squatted.user_id)
    assert [each.user.id for each in members.of_account(account)] == [user.id]
    with pytest.raises(errors.NotFound):
        members.find(User.get(mallory.user_id), account.id)
    assert (members.find(user, account.id).role, account.owners, account.live_keys.as_dict()) == ("owner", 1, {})
    assert is_valid(latchkey.key(squatted).secret)


def test_own_account_of_a_member_is_left_alone(latchkey: TestApp, squatted: AccountOfTest) -> None:
    """Mallory, who was a member of the squatted account, keeps their own account and its keys."""
    own = latchkey.account(name="Mallory")
    join(squatted, own.user, roles.ADMIN)
    secret = latchkey.key(own).secret
    latchkey.clock.forward(1)
    verify_address(squatted)
    assert is_valid(secret)
    assert Account.get(own.id).credentials_since == 0


def test_account_that_was_handed_over_stays_with_its_owner(latchkey: TestApp, squatted: AccountOfTest) -> None:
    """The creator made another user the owner and is a viewer since. The verification of the creator's address ends
    nothing of the account: it may belong to somebody who has verified theirs.
    """
    owner = join(squatted, latchkey.account(name="Grace").user, roles.OWNER)
    Member(squatted.id, squatted.user_id).update(actions=[Member.role.set(roles.VIEWER)])
    squatted.account.update(actions=[Account.owners.set(1)])
    latchkey.clock.forward(1)
    verify_address(squatted)
    account = Account.get(squatted.id)
    assert (account.owners, account.credentials_since) == (1, 0)
    assert members.find(User.get(squatted.user_id), squatted.id).role == roles.VIEWER
    assert members.find(User.get(owner.user_id), squatted.id).role == roles.OWNER


def test_keys_made_in_accounts_of_others_end_and_these_accounts_stay(
    latchkey: TestApp, squatted: AccountOfTest
) -> None:
    """In an account of somebody else, only what the unverified user made ends at once. The user remains a member, and
    the keys of the others stay valid.
    """
    host = latchkey.account(name="Host")
    guest = join(host, User.get(squatted.user_id), roles.DEVELOPER)
    by_guest, by_host = latchkey.key(guest).secret, latchkey.key(host).secret
    latchkey.clock.forward(1)
    verify_address(squatted)
    assert (is_valid(by_guest), is_valid(by_host)) == (False, True)
    assert Account.get(host.id).credentials_since == 0
    assert members.find(User.get(squatted.user_id), host.id).role == "developer"
    assert is_valid(latchkey.key(guest).secret)


def test_every_account_that_the_user_created_is_taken_back(latchkey: TestApp, squatted: AccountOfTest) -> None:
    """The first verification changes all accounts that the user created, also the further ones."""
    further = create.create_further_account(squatted.user, name="Further", tier=FREE)
    secrets = [latchkey.key(each).secret for each in (squatted, AccountOfTest(further))]
    latchkey.clock.forward(1)
    verify_address(squatted)
    assert [is_valid(secret) for secret in secrets] == [False, False]
    for account_id in (squatted.id, further.account.id):
        assert Account.get(account_id).credentials_since == clock.now_ms()


def test_account_created_after_the_proof_was_read_makes_it_fail(latchkey: TestApp, squatted: AccountOfTest) -> None:
    """If the squatter creates a further account between the read and the write, the verification fails, so that no
    account is left out. The link can be used again.
    """
    user = User.get(squatted.user_id)
    secret = email_links.new_link(user.id, email_links.SET_PASSWORD, email=user.email, epoch=user.session_epoch)
    token = email_links.find_link(secret, email_links.SET_PASSWORD)
    create.create_further_account(user, name="Further", tier=FREE)
    with pytest.raises(email_links.SpentLink):
        email_links.set_password(token, user, hash_of("another"))
    assert User.get(user.id).email_verified_at is None
    email_links.set_password(token, User.get(user.id), hash_of("another"))


def test_user_with_forty_accounts_is_verified_in_one_transaction(latchkey: TestApp, squatted: AccountOfTest) -> None:
    """The maximum number of accounts of an unverified user fits into the transaction of the verification."""
    for number in range(members.UNVERIFIED_ACCOUNTS_MAX - 1):
        user = User.get(squatted.user_id)
        create.create_further_account(user, name=f"Account {number}", tier=FREE)
    with pytest.raises(errors.Conflict, match="at most 40 accounts"):
        create.create_further_account(User.get(squatted.user_id), name="One more", tier=FREE)
    latchkey.clock.forward(1)
    verify_address(squatted)
    assert {each.credentials_since for each in Account.scan()} == {clock.now_ms()}


def test_second_verification_is_no_first_one(latchkey: TestApp) -> None:
    """A verified user has no first verification left; a later verification ends nothing."""
    account = latchkey.account()
    assert first_proof.of(account.user) is None
    secret = latchkey.key(account).secret
    latchkey.clock.forward(1)
    verify_address(account)
    assert is_valid(secret)
