"""One-time links: their purpose, expiry, single use, and the sessions and credentials that they invalidate."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.accounts import change, email_links, self_service, sessions, sign_up, states
from chalicelib.accounts.invite import invite
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken, User
from chalicelib.core import errors, secrets, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from tests.support.console_client import CALLER, PASSWORD, hash_of, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.mailbox import Mailbox

PURPOSES = (email_links.VERIFY_EMAIL, email_links.SET_PASSWORD, email_links.CHANGE_EMAIL)
NEW_EMAIL = "lovelace@example.com"
OTHER = "harmonica wolverine custard"


def link(account: AccountOfTest, purpose: str) -> str:
    """Return the secret of a new link, as the console creates it."""
    email = NEW_EMAIL if purpose == email_links.CHANGE_EMAIL else account.email
    return email_links.new_link(account.user_id, purpose, email=email, epoch=account.user.session_epoch)


def use(secret: str, purpose: str) -> None:
    """Use a link, as the button on its page does."""
    token = email_links.find_link(secret, purpose)
    user = email_links.user_of_link(token)
    if purpose == email_links.SET_PASSWORD:
        email_links.set_password(token, user, hash_of(OTHER))
    elif purpose == email_links.VERIFY_EMAIL:
        email_links.verify_email(token, user)
    else:
        email_links.change_email(token, user)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_link_works_once(latchkey: TestApp, purpose: str) -> None:
    """A link can be used once; the second use is rejected."""
    secret = link(new_account(verified=False), purpose)
    use(secret, purpose)
    with pytest.raises(email_links.SpentLink):
        use(secret, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_link_expires_after_one_hour(latchkey: TestApp, purpose: str) -> None:
    """A link expires after one hour, to the millisecond, even if the database hasn't deleted it yet."""
    account = new_account(verified=False)
    in_time, too_late = link(account, purpose), link(account, purpose)
    latchkey.clock.forward(3_600 - 0.001)
    email_links.find_link(too_late, purpose)
    use(in_time, purpose)
    latchkey.clock.forward(0.001)
    with pytest.raises(email_links.SpentLink):
        email_links.find_link(too_late, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_link_that_expires_between_read_and_use_is_rejected(latchkey: TestApp, purpose: str) -> None:
    """A link that expires between its read and its use is rejected by the condition of the write."""
    account = new_account(verified=False)
    token = email_links.find_link(link(account, purpose), purpose)
    latchkey.clock.forward(3_600)
    use_of: dict[str, Callable[[], object]] = {
        email_links.SET_PASSWORD: lambda: email_links.set_password(token, account.user, hash_of(OTHER)),
        email_links.VERIFY_EMAIL: lambda: email_links.verify_email(token, account.user),
        email_links.CHANGE_EMAIL: lambda: email_links.change_email(token, account.user),
    }
    with pytest.raises(email_links.SpentLink):
        use_of[purpose]()
    after = User.get(account.user_id)
    assert (after.email, after.password_hash) == (account.email, account.user.password_hash)
    assert after.email_verified_at is None
    assert after.session_epoch == 0


@pytest.mark.parametrize("purpose", PURPOSES)
def test_reading_a_link_doesnt_consume_it(latchkey: TestApp, purpose: str) -> None:
    """Reading a link, as an email scanner does, doesn't consume it."""
    secret = link(new_account(verified=False), purpose)
    with telemetry.record_calls() as calls:
        for _ in range(3):
            email_links.user_of_link(email_links.find_link(secret, purpose))
    assert {operation for operation, _ in calls.made} == {"GetItem"}
    use(secret, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("asked", PURPOSES)
def test_link_is_valid_for_its_purpose_only(latchkey: TestApp, purpose: str, asked: str) -> None:
    """A link is valid for its purpose only: a link to verify an address can't set a password."""
    secret = link(new_account(verified=False), purpose)
    if asked == purpose:
        assert email_links.find_link(secret, asked).purpose == purpose
    else:
        with pytest.raises(email_links.SpentLink):
            email_links.find_link(secret, asked)


@pytest.mark.parametrize("secret", ["", "nonsense", "lk_ml_" + "0" * 36, "é" * 42])
def test_malformed_link_is_rejected_without_a_database_call(latchkey: TestApp, secret: str) -> None:
    """A malformed link is rejected like a used link, without a database call."""
    with telemetry.record_calls() as calls, pytest.raises(email_links.SpentLink) as refused:
        email_links.find_link(secret, email_links.SET_PASSWORD)
    assert (calls.made, refused.value.status) == ([], 410)
    assert refused.value.message == "This link was already used or has expired. Request a new one."


def test_secret_of_another_kind_is_no_link(latchkey: TestApp) -> None:
    """An API key or the secret of a session is rejected as a link because of its prefix."""
    for kind in ("test", secrets.SESSION_KIND):
        with pytest.raises(email_links.SpentLink):
            email_links.find_link(secrets.mint(kind), email_links.SET_PASSWORD)


def test_secret_of_a_link_is_not_stored(latchkey: TestApp) -> None:
    """The table stores the digest and TTL of a link, not its secret."""
    secret = link(new_account(), email_links.SET_PASSWORD)
    stored = dynamodb.call("Scan", {"TableName": settings.current().table("tickets")})["Items"]
    assert secret.rpartition("_")[2] not in json.dumps(stored)
    assert [token.dies_at for token in OneTimeToken.scan()] == [latchkey.clock.now_ms // 1000 + 2 * 3_600]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_first_verification_invalidates_sessions_and_keys(latchkey: TestApp, purpose: str) -> None:
    """A first verification ends sessions and keys, because another human may have signed up."""
    account = new_account(verified=False)
    squatter, key = sessions.open_session(account.user), latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    latchkey.clock.forward(60)
    use(link(account, purpose), purpose)
    assert sessions.session_of(squatter) is None
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 401
    verified, now_ms = User.get(account.user_id), latchkey.clock.now_ms
    assert (verified.email_verified_at, verified.credentials_since) == (now_ms, now_ms)
    assert Account.get(account.id).credentials_since == now_ms


@pytest.mark.parametrize("purpose", PURPOSES)
def test_keys_of_a_verified_user_stay_valid(latchkey: TestApp, purpose: str) -> None:
    """A reset, a repeated verification and an email change don't invalidate the keys of a verified user."""
    account = new_account()
    key = latchkey.key(account)
    latchkey.clock.forward(60)
    use(link(account, purpose), purpose)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200


@pytest.mark.parametrize(
    ("purpose", "goes_on"),
    [(email_links.VERIFY_EMAIL, True), (email_links.SET_PASSWORD, False), (email_links.CHANGE_EMAIL, True)],
)
def test_sessions_of_a_verified_user_end_only_with_a_reset(latchkey: TestApp, purpose: str, goes_on: bool) -> None:
    """A repeated verification doesn't end the sessions of a verified user; a reset does."""
    account = new_account()
    session = sessions.open_session(account.user)
    use(link(account, purpose), purpose)
    assert (sessions.session_of(session) is not None) is goes_on


def test_reset_sets_the_password_and_verifies_the_address(latchkey: TestApp) -> None:
    """A reset link sets the password and verifies the address, because the link was sent there."""
    account = new_account(verified=False)
    use(link(account, email_links.SET_PASSWORD), email_links.SET_PASSWORD)
    changed = User.get(account.user_id)
    assert (changed.password_hash, changed.email_verified_at) == (hash_of(OTHER), latchkey.clock.now_ms)


def test_email_change_moves_the_claim(latchkey: TestApp) -> None:
    """An email change claims the new address and frees the old one immediately."""
    account = new_account()
    use(link(account, email_links.CHANGE_EMAIL), email_links.CHANGE_EMAIL)
    assert User.get(account.user_id).email == NEW_EMAIL
    assert EmailClaim.get(NEW_EMAIL).user_id == account.user_id
    assert new_account(email=account.email).email == account.email


def test_change_to_an_address_that_another_user_took_is_a_conflict(latchkey: TestApp) -> None:
    """A change to an address that another user has claimed meanwhile is a conflict, and the link isn't consumed."""
    account = new_account()
    secret = link(account, email_links.CHANGE_EMAIL)
    other = new_account(email=NEW_EMAIL)
    with pytest.raises(errors.Conflict):
        use(secret, email_links.CHANGE_EMAIL)
    assert User.get(account.user_id).email == account.email
    assert EmailClaim.get(NEW_EMAIL).user_id == other.user_id
    email_links.find_link(secret, email_links.CHANGE_EMAIL)


def test_link_to_a_former_address_is_invalid(latchkey: TestApp) -> None:
    """A link sent to a former address of the user neither verifies the user's address nor resets the password."""
    account = new_account(verified=False)
    old = {purpose: link(account, purpose) for purpose in (email_links.VERIFY_EMAIL, email_links.SET_PASSWORD)}
    use(link(account, email_links.CHANGE_EMAIL), email_links.CHANGE_EMAIL)
    for purpose, secret in old.items():
        with pytest.raises(email_links.SpentLink):
            use(secret, purpose)


@pytest.mark.parametrize("purpose", [email_links.SET_PASSWORD, email_links.CHANGE_EMAIL])
@pytest.mark.parametrize("what", ["password_change", "reset"])
def test_link_is_invalid_after_the_sessions_were_ended(latchkey: TestApp, purpose: str, what: str) -> None:
    """A link that was requested before the user's sessions ended is invalid, because an attacker with a stolen
    password may have requested it.
    """
    account = new_account()
    session = sessions.session_of(sessions.open_session(account.user))
    secret = link(account, purpose)
    token = email_links.find_link(secret, purpose)
    assert session is not None
    if what == "password_change":
        self_service.change_password(
            session, caller=CALLER, password=PASSWORD, new_password=OTHER, base_url="https://api.example.com"
        )
    else:
        use(link(account, email_links.SET_PASSWORD), email_links.SET_PASSWORD)
    with pytest.raises(email_links.SpentLink):
        use(secret, purpose)
    # The link is rejected even if the user was read before the sessions ended.
    spend = (
        email_links.change_email
        if purpose == email_links.CHANGE_EMAIL
        else partial(email_links.set_password, password_hash="")
    )
    with pytest.raises(email_links.SpentLink):
        spend(token, account.user)


@pytest.mark.parametrize("what", ["password_change", "log_out_everywhere"])
@pytest.mark.parametrize("kind", ["verification", "invitation", "handed_over"])
def test_every_kind_of_link_ends_with_the_sessions(latchkey: TestApp, box: Mailbox, kind: str, what: str) -> None:
    """After a user's sessions ended, their links neither set a password nor verify an address."""
    if kind == "invitation":
        invited = invite(email="ada@example.com", name="Ada", tier=tiers.FREE)
        account, secret = AccountOfTest(invited.membership), invited.link
        account.user.update(actions=[User.password_hash.set(hash_of(PASSWORD))])
    else:
        account = new_account(verified=False)
        if kind == "handed_over":
            secret = email_links.create_password_link(account.user)
        else:
            sign_up.send_verification(account.user, networks=CALLER.networks, base_url="https://api.example.com")
            secret = box.take_one().token
    purpose = email_links.VERIFY_EMAIL if kind == "verification" else email_links.SET_PASSWORD
    token = email_links.find_link(secret, purpose)
    before = email_links.user_of_link(token)
    end_sessions(before, what)
    changed = User.get(account.user_id)
    with pytest.raises(email_links.SpentLink):
        use(secret, purpose)
    with pytest.raises(email_links.SpentLink):
        email_links.set_password(token, before, hash_of(OTHER + "!"))
    after = User.get(account.user_id)
    assert (after.password_hash, after.is_verified) == (changed.password_hash, False)


def end_sessions(user: User, what: str) -> None:
    """Perform an action that ends the user's sessions."""
    if what == "password_change":
        session = sessions.session_of(sessions.open_session(user))
        assert session is not None
        self_service.change_password(
            session, caller=CALLER, password=PASSWORD, new_password=OTHER, base_url="https://api.example.com"
        )
    else:
        sessions.end_all(user.id)


def test_second_verification_link_is_accepted_and_changes_nothing(latchkey: TestApp) -> None:
    """A second verification link is accepted without effect after the first was used, and isn't reported as used."""
    account = new_account(verified=False)
    first, second = (link(account, email_links.VERIFY_EMAIL) for _ in range(2))
    use(first, email_links.VERIFY_EMAIL)
    verified = User.get(account.user_id)
    use(second, email_links.VERIFY_EMAIL)
    assert User.get(account.user_id).serialize() == verified.serialize()


@pytest.mark.parametrize("first", ["invitation", "reset"])
def test_invitation_and_reset_are_both_valid_until_one_is_used(latchkey: TestApp, box: Mailbox, first: str) -> None:
    """An invitation and a reset link are both valid until one of them has set a password."""
    invited = invite(email="ada@example.com", name="Ada", tier=tiers.FREE)
    sign_up.request_password_reset(email="ada@example.com", caller=CALLER, base_url="https://api.example.com")
    used, left = invited.link, box.take_one().token
    if first == "reset":
        used, left = left, used
    use(used, email_links.SET_PASSWORD)
    with pytest.raises(email_links.SpentLink):
        use(left, email_links.SET_PASSWORD)


def test_link_stays_valid_while_an_account_of_the_user_is_suspended(latchkey: TestApp) -> None:
    """The suspension of an account ends no link of its users: a user may belong to other accounts, too."""
    account = new_account()
    secret = link(account, email_links.SET_PASSWORD)
    change.set_tier_and_status(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    use(secret, email_links.SET_PASSWORD)
    assert User.get(account.user_id).password_hash == hash_of(OTHER)


def test_links_of_a_deleted_user_are_invalid(latchkey: TestApp) -> None:
    """A link of a deleted user is invalid and doesn't recreate the user."""
    account = new_account()
    secrets_of = {purpose: link(account, purpose) for purpose in PURPOSES}
    self_service.delete_account(account.membership, caller=CALLER, password=PASSWORD)
    session = sessions.session_of(sessions.open_session(account.user))
    assert session is not None
    self_service.delete_user(session, caller=CALLER, password=PASSWORD)
    for purpose, secret in secrets_of.items():
        with pytest.raises(email_links.SpentLink):
            use(secret, purpose)
    assert User.get(account.user_id).status == states.DELETED


def test_second_link_to_the_same_new_address_is_consumed_without_effect(latchkey: TestApp) -> None:
    """A second link to the same new address is accepted without effect, and the user keeps the address."""
    account = new_account(email="old@example.com")
    first, second = (
        email_links.new_link(
            account.user_id, email_links.CHANGE_EMAIL, email=NEW_EMAIL, epoch=account.user.session_epoch
        )
        for _ in range(2)
    )
    use(first, email_links.CHANGE_EMAIL)
    use(second, email_links.CHANGE_EMAIL)
    assert User.get(account.user_id).email == NEW_EMAIL
    with pytest.raises(email_links.SpentLink):
        use(second, email_links.CHANGE_EMAIL)
