"""One-time links: races between reading and using a link, recorded events, and sessions that stay active."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pynamodb.exceptions import PynamoDBException, TransactWriteError

from chalicelib.accounts import (
    email_links,
    find,
    invalidation,
    invite,
    pending_sign_up,
    sessions,
    unverified,
)
from chalicelib.accounts.tables import Account, EmailClaim, OneTimeToken, Session, User
from chalicelib.core import clock, errors, randomness, settings
from chalicelib.events import record
from chalicelib.jobs import progress
from chalicelib.jobs.tables import Job
from chalicelib.limits import tiers
from tests.support.console_client import hash_of, new_account
from tests.support.harness import AccountOfTest, TestApp
from tests.support.interleaving import fail_calls
from tests.support.job_runs import stored_jobs

VERIFY, RESET, MOVE = email_links.VERIFY_EMAIL, email_links.SET_PASSWORD, email_links.CHANGE_EMAIL
NEW_EMAIL = "lovelace@example.com"


def token_of_new_link(account: AccountOfTest | User, purpose: str, email: str = NEW_EMAIL) -> OneTimeToken:
    """Create a link and return its token."""
    user = account if isinstance(account, User) else account.user
    to = email if purpose == MOVE else user.email
    return email_links.find_link(email_links.new_link(user.id, purpose, email=to, epoch=user.session_epoch), purpose)


USES: dict[str, Callable[[OneTimeToken, User], Job | None]] = {
    VERIFY: lambda token, user: email_links.verify_email(token, user),
    RESET: lambda token, user: email_links.set_password(token, user, hash_of("another")),
    MOVE: lambda token, user: email_links.change_email(token, user),
}
EACH = pytest.mark.parametrize("purpose", USES)


def session_of(account: AccountOfTest) -> Session:
    """Open a session of the account's user and return it."""
    found = sessions.session_of(sessions.open_session(account.user))
    assert found is not None
    return found.session


def is_open(session: Session) -> bool:
    """Return whether a session is valid."""
    stored = Session.found(session.digest)
    return stored is not None and stored.epoch == User.get(session.user_id).session_epoch


@EACH
def test_link_doesnt_recreate_a_user_deleted_since_it_was_read(latchkey: TestApp, purpose: str) -> None:
    """Using a link doesn't recreate its user if the user was deleted after the link was read."""
    for verified in (True, False):
        account = new_account(verified=verified)
        token = token_of_new_link(account, purpose)
        User(account.user_id).update(actions=[User.listed.remove()])
        before = User.get(account.user_id).serialize()
        with pytest.raises(email_links.SpentLink):
            USES[purpose](token, account.user)
        with pytest.raises(email_links.SpentLink):
            email_links.user_of_link(token)
        assert User.get(account.user_id).serialize() == before


@EACH
def test_first_verification_requires_an_unchanged_user(latchkey: TestApp, purpose: str) -> None:
    """A first verification fails if the user was verified or their sessions ended after the link was read."""
    for meanwhile in (User.email_verified_at.set(5), User.session_epoch.add(1)):
        read = new_account(verified=False)
        User(read.user_id).update(actions=[meanwhile])
        token = token_of_new_link(User.get(read.user_id), purpose, f"{read.id}@example.com")
        with pytest.raises(email_links.SpentLink):
            USES[purpose](token, read.user)
        assert User.get(read.user_id).credentials_since == Account.get(read.id).credentials_since == 0


@pytest.mark.parametrize("purpose", [VERIFY, RESET])
def test_link_to_an_address_that_was_changed_is_invalid(latchkey: TestApp, purpose: str) -> None:
    """A link to an address that the user has since replaced is invalid, even if the link was read before."""
    for verified in (True, False):
        account = new_account(verified=verified)
        token = token_of_new_link(account, purpose)
        User(account.user_id).update(actions=[User.email.set("left@example.com")])
        with pytest.raises(email_links.SpentLink):
            USES[purpose](token, account.user)


def test_email_change_requires_the_address_that_was_read(latchkey: TestApp) -> None:
    """Of two concurrent email changes the second fails, and the user keeps the address of the first."""
    account = new_account()
    late, first = token_of_new_link(account, MOVE), token_of_new_link(account, MOVE, "first@example.com")
    email_links.change_email(first, account.user)
    with pytest.raises(email_links.SpentLink):
        email_links.change_email(late, account.user)
    assert User.get(account.user_id).email == "first@example.com"
    assert [each.email for each in EmailClaim.scan()] == ["first@example.com"]


def test_email_change_doesnt_delete_a_claim_of_another_user(latchkey: TestApp) -> None:
    """An email change doesn't delete the claim on the old address if another user has claimed that address."""
    account = new_account()
    token = token_of_new_link(account, MOVE)
    EmailClaim(account.email, user_id="usr_other").save()
    with pytest.raises(email_links.SpentLink):
        email_links.change_email(token, account.user)
    assert [each.user_id for each in EmailClaim.scan()] == ["usr_other"]


@pytest.mark.parametrize(("typed", "kept"), [("Love@example.com", "Love@example.com"), ("love@example.com", None)])
@pytest.mark.parametrize("verified", [True, False])
def test_new_address_is_verified_and_stored_as_it_was_typed(
    latchkey: TestApp, typed: str, kept: str | None, verified: bool
) -> None:
    """An email change stores the typed address if it differs from the claim, and removes the old typed address."""
    account = new_account(email="Ada@example.com", verified=verified)
    latchkey.clock.forward(60)
    pending = email_links.change_email(token_of_new_link(account, MOVE, typed), account.user, session_of(account))
    stored = User.get(account.user_id)
    assert (stored.email, stored.typed_email, stored.email_verified_at) == ("love@example.com", kept, clock.now_ms())
    assert (pending is None, stored.session_epoch) == (verified, 0 if verified else 1)


@EACH
@pytest.mark.parametrize("verified", [True, False], ids=["verified", "first_proof"])
def test_use_of_a_link_is_recorded_once(latchkey: TestApp, purpose: str, verified: bool) -> None:
    """The use of a link is recorded once. Only a first verification also stores a job."""
    account = new_account(verified=verified)
    Account(account.id).update(actions=[Account.live_keys.set({"key_1": 0})])
    latchkey.clock.forward(60)
    pending = USES[purpose](token_of_new_link(account, purpose), account.user)
    kinds = {VERIFY: "user.email_verified", RESET: "user.password_changed", MOVE: "user.email_changed"}
    is_moot = verified and purpose == VERIFY
    expected = ["user.created"] if is_moot else [kinds[purpose], "user.created"]
    assert [event.type for event in record.newest_first(account.user_id, 9)] == expected
    left = [(each.kind, each.subject, each.began_at) for each in stored_jobs()]
    assert left == ([] if verified else [("proof", account.user_id, clock.now_ms())])
    assert (pending is None) is verified
    stored, own = User.get(account.user_id), Account.get(account.id)
    assert own.live_keys.as_dict() == ({"key_1": 0} if verified else {})
    assert own.credentials_since == stored.credentials_since == (0 if verified else clock.now_ms())
    assert stored.session_epoch == (0 if verified and purpose != RESET else 1)


@EACH
def test_first_verification_sets_the_mark(latchkey: TestApp, purpose: str) -> None:
    """The first verification sets the invalidation mark, so that the verification applies at the next request."""
    account = new_account(verified=False)
    latchkey.clock.forward(1)
    USES[purpose](token_of_new_link(account, purpose), account.user)
    assert invalidation.is_marked(account.id, clock.now_ms())


def test_reset_returns_the_termination_of_the_selected_items(latchkey: TestApp) -> None:
    """A reset stores a job of the selected items, or of all items if the address was unverified."""
    for verified, kind in ((True, "reset"), (False, "proof")):
        account = new_account(verified=verified)
        chosen = progress.new_choice(progress.OF_RESET, account.user_id, {"key_1"}, by="x")
        pending = email_links.set_password(token_of_new_link(account, RESET), account.user, "hash", chosen)
        assert pending is not None
        assert pending.kind == kind
        assert kind in {each.kind for each in stored_jobs() if each.subject == account.user_id}


@pytest.mark.parametrize("with_session", [True, False])
def test_password_is_kept_only_by_a_first_verification_with_a_session(latchkey: TestApp, with_session: bool) -> None:
    """A first verification inside a session keeps the password; without a session it removes the password."""
    account = new_account(verified=False)
    own, other = session_of(account), session_of(account)
    email_links.verify_email(token_of_new_link(account, VERIFY), account.user, own if with_session else None)
    stored = User.get(account.user_id)
    assert (stored.password_hash is not None) is with_session
    assert (is_open(own), is_open(other)) == (with_session, False)


@pytest.mark.parametrize("purpose", [VERIFY, MOVE])
def test_session_that_was_ended_since_it_was_read_is_not_recreated(latchkey: TestApp, purpose: str) -> None:
    """Using a link fails if the session ended after it was read. The session isn't recreated, and the link
    stays valid.
    """
    account = new_account(verified=False)
    session, token = session_of(account), token_of_new_link(account, purpose)
    Session(session.digest).delete()
    use = email_links.verify_email if purpose == VERIFY else email_links.change_email
    with pytest.raises(email_links.SpentLink):
        use(token, account.user, session)
    assert (Session.count(), User.get(account.user_id).is_verified) == (0, False)
    assert OneTimeToken.get(token.digest).consumed_at is None


@pytest.mark.parametrize("purpose", [VERIFY, MOVE])
def test_only_the_session_that_used_the_link_stays_active(latchkey: TestApp, purpose: str) -> None:
    """When a link is used in a session, that session stays active and sessions in other browsers end."""
    account = new_account(verified=False)
    own, other = session_of(account), session_of(account)
    (email_links.verify_email if purpose == VERIFY else email_links.change_email)(
        token_of_new_link(account, purpose), account.user, own
    )
    assert (is_open(own), is_open(other)) == (True, False)


def test_link_by_the_operator_is_recorded_and_verifies_nothing(latchkey: TestApp) -> None:
    """A link that the operator created isn't sent by email, so its use doesn't verify the address."""
    account = new_account(verified=False)
    token = email_links.find_link(email_links.create_password_link(account.user), RESET)
    assert [token.email, token.epoch] == [None, 0]
    assert record.newest_first(account.user_id, 1)[0].type == "user.password_link_made"
    assert email_links.set_password(token, email_links.user_of_link(token), "hash") is None
    assert not User.get(account.user_id).is_verified
    User(account.user_id).update(actions=[User.listed.remove()])
    with pytest.raises(errors.NotFound, match="no such user"):
        email_links.create_password_link(account.user)
    assert OneTimeToken.count() == 1


def test_link_without_a_user_is_invalid(latchkey: TestApp) -> None:
    """A link for an address without a user is stored, so that timing reveals nothing, but can't be used."""
    token = email_links.find_link(email_links.new_link(find.NO_USER, RESET, email="a@b.example", epoch=0), RESET)
    with pytest.raises(email_links.SpentLink) as spent:
        email_links.user_of_link(token)
    assert (spent.value.status, spent.value.error) == (410, "spent_link")


@pytest.mark.parametrize("with_mail", [True, False])
@pytest.mark.parametrize("verified", [True, False])
def test_address_must_be_verified_if_email_is_configured(latchkey: TestApp, with_mail: bool, verified: bool) -> None:
    """Users must verify their address only if email is configured."""
    account = new_account(verified=verified)
    with settings.override(replace(settings.current(), mail_from="a@example.com" if with_mail else "")):
        assert unverified.must_verify_email(account.user) is (with_mail and not verified)
        if with_mail and not verified:
            with pytest.raises(errors.Conflict, match="Request a link in Settings > Profile"):
                unverified.require_verified_email(account.user)
        else:
            unverified.require_verified_email(account.user)


def test_token_doesnt_overwrite_another(latchkey: TestApp) -> None:
    """A new token whose random secret is already in use doesn't overwrite the existing token."""
    first, other = new_account(), new_account(name="Eve")
    with randomness.use_generator(lambda _: 0):
        digest = email_links.find_link(email_links.new_link(first.user_id, RESET, epoch=0), RESET).digest
        for deed in (
            lambda: email_links.new_link(other.user_id, RESET, epoch=0),
            lambda: email_links.create_password_link(other.user),
            lambda: invite.invite(email="new@example.com", name="New", tier=tiers.FREE),
            lambda: pending_sign_up.new_token(pending_sign_up.PendingSignUp("a@b.example", "A", "hash", "x")),
        ):
            with pytest.raises((PynamoDBException, errors.LatchkeyError)):
                deed()
        sessions.open_session(first.user)
        with pytest.raises(PynamoDBException):
            sessions.open_session(other.user)
    assert [(each.digest, each.user_id) for each in OneTimeToken.scan()] == [(digest, first.user_id)]
    assert [each.user_id for each in Session.scan()] == [first.user_id]


@EACH
def test_database_error_is_not_reported_as_a_used_link(latchkey: TestApp, purpose: str) -> None:
    """A database error while a link is used isn't reported as a used link, and the link stays valid."""
    account = new_account()
    token = token_of_new_link(account, purpose)
    with fail_calls("TransactWriteItems"), pytest.raises(TransactWriteError):
        USES[purpose](token, account.user)
    USES[purpose](token, account.user)
    assert [each.consumed_at for each in OneTimeToken.scan()] == [clock.now_ms()]
