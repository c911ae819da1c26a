"""One-time links: what each may be used for, for how long, how often, and what ends with it."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from chalicelib.accounts import change, email_links, self_service, sessions, sign_up, states
from chalicelib.accounts.invite import invite
from chalicelib.accounts.tables import Account, Email, OneTimeToken
from chalicelib.core import errors, secrets, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.limits import tiers
from tests.support.console_client import PASSWORD, SOMEWHERE, hash_of, person
from tests.support.harness import TestApp
from tests.support.mailbox import Mailbox

PURPOSES = (email_links.VERIFY_EMAIL, email_links.SET_PASSWORD, email_links.CHANGE_EMAIL)
NEW_EMAIL = "lovelace@example.com"
OTHER = "harmonica wolverine custard"


def link(account: Account, purpose: str) -> str:
    """Return the secret of a link that was just asked for, as the console asks."""
    email = NEW_EMAIL if purpose == email_links.CHANGE_EMAIL else account.email
    return email_links.new_link(account.id, purpose, email=email, epoch=account.session_epoch)


def use(secret: str, purpose: str) -> None:
    """Do with a link what its button does."""
    ticket = email_links.looked_up(secret, purpose)
    account = email_links.account_of(ticket)
    if purpose == email_links.SET_PASSWORD:
        email_links.set_password(ticket, account, hash_of(OTHER))
    elif purpose == email_links.VERIFY_EMAIL:
        email_links.verify_email(ticket, account)
    else:
        email_links.change_email(ticket, account)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_link_works_once(latchkey: TestApp, purpose: str) -> None:
    """The second use finds it spent."""
    secret = link(person(verified=False), purpose)
    use(secret, purpose)
    with pytest.raises(email_links.SpentLink):
        use(secret, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_link_works_for_one_hour(latchkey: TestApp, purpose: str) -> None:
    """In its last millisecond it works, after it no more, whether or not the database has deleted it yet."""
    account = person(verified=False)
    in_time, too_late = link(account, purpose), link(account, purpose)
    latchkey.clock.forward(3_600 - 0.001)
    email_links.looked_up(too_late, purpose)
    use(in_time, purpose)
    latchkey.clock.forward(0.001)
    with pytest.raises(email_links.SpentLink):
        email_links.looked_up(too_late, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_link_that_was_read_in_time_is_refused_when_it_is_used_late(latchkey: TestApp, purpose: str) -> None:
    """What decides is the moment of use: the condition holds the hour, not the look before it."""
    account = person(verified=False)
    ticket = email_links.looked_up(link(account, purpose), purpose)
    latchkey.clock.forward(3_600)
    use_of: dict[str, Callable[[], object]] = {
        email_links.SET_PASSWORD: lambda: email_links.set_password(ticket, account, hash_of(OTHER)),
        email_links.VERIFY_EMAIL: lambda: email_links.verify_email(ticket, account),
        email_links.CHANGE_EMAIL: lambda: email_links.change_email(ticket, account),
    }
    with pytest.raises(email_links.SpentLink):
        use_of[purpose]()
    after = Account.get(account.id)
    assert (after.email, after.password_hash) == (account.email, account.password_hash)
    assert after.email_verified_at is None
    assert after.session_epoch == 0


@pytest.mark.parametrize("purpose", PURPOSES)
def test_looking_spends_nothing(latchkey: TestApp, purpose: str) -> None:
    """A mail scanner that follows a link only reads."""
    secret = link(person(verified=False), purpose)
    with telemetry.calls_watched() as calls:
        for _ in range(3):
            email_links.account_of(email_links.looked_up(secret, purpose))
    assert {operation for operation, _ in calls.made} == {"GetItem"}
    use(secret, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("asked", PURPOSES)
def test_link_is_good_for_its_purpose_only(latchkey: TestApp, purpose: str, asked: str) -> None:
    """A link that confirms an address sets no password, and so on."""
    secret = link(person(verified=False), purpose)
    if asked == purpose:
        assert email_links.looked_up(secret, asked).purpose == purpose
    else:
        with pytest.raises(email_links.SpentLink):
            email_links.looked_up(secret, asked)


@pytest.mark.parametrize("secret", ["", "nonsense", "lk_ml_" + "0" * 36, "é" * 42])
def test_malformed_link_is_refused_without_asking(latchkey: TestApp, secret: str) -> None:
    """A guess costs no call, and looks like a link that was used."""
    with telemetry.calls_watched() as calls, pytest.raises(email_links.SpentLink) as refused:
        email_links.looked_up(secret, email_links.SET_PASSWORD)
    assert (calls.made, refused.value.status) == ([], 410)
    assert refused.value.message == "This link was already used or has expired. Request a new one."


def test_secret_of_another_kind_is_no_link(latchkey: TestApp) -> None:
    """An API key, or a session, in place of a ticket is refused by its kind."""
    for kind in ("test", secrets.SESSION_KIND):
        with pytest.raises(email_links.SpentLink):
            email_links.looked_up(secrets.mint(kind), email_links.SET_PASSWORD)


def test_secret_of_a_link_is_not_stored(latchkey: TestApp) -> None:
    """The table holds its digest, and a time after which it may be deleted."""
    secret = link(person(), email_links.SET_PASSWORD)
    stored = dynamodb.call("Scan", {"TableName": settings.current().table("tickets")})["Items"]
    assert secret.rpartition("_")[2] not in json.dumps(stored)
    assert [ticket.dies_at for ticket in OneTimeToken.scan()] == [latchkey.clock.now_ms // 1000 + 2 * 3_600]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_first_proof_of_an_address_ends_what_was_before(latchkey: TestApp, purpose: str) -> None:
    """Whoever had the account before its owner proved the address is out: sessions and keys, at the next request."""
    account = person(verified=False)
    squatter, key = sessions.open_session(account), latchkey.key(account)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200
    latchkey.clock.forward(60)
    use(link(account, purpose), purpose)
    assert sessions.session_of(squatter) is None
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 401
    proven = Account.get(account.id)
    assert (proven.email_verified_at, proven.credentials_since) == (latchkey.clock.now_ms, latchkey.clock.now_ms)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_keys_of_a_proven_address_work_on(latchkey: TestApp, purpose: str) -> None:
    """A reset, a second confirmation or another address stops no program of an account that was proven before."""
    account = person()
    key = latchkey.key(account)
    latchkey.clock.forward(60)
    use(link(account, purpose), purpose)
    assert latchkey.call("GET", "/v1/users/me", key.secret).status == 200


@pytest.mark.parametrize(
    ("purpose", "goes_on"),
    [(email_links.VERIFY_EMAIL, True), (email_links.SET_PASSWORD, False), (email_links.CHANGE_EMAIL, True)],
)
def test_sessions_of_a_proven_address_end_with_a_reset_only(latchkey: TestApp, purpose: str, goes_on: bool) -> None:
    """Whoever resets the password ends every session; proving an address again doesn't."""
    account = person()
    session = sessions.open_session(account)
    use(link(account, purpose), purpose)
    assert (sessions.session_of(session) is not None) is goes_on


def test_reset_sets_the_password_and_proves_the_address(latchkey: TestApp) -> None:
    """The link came by mail, so the address is proven by it."""
    account = person(verified=False)
    use(link(account, email_links.SET_PASSWORD), email_links.SET_PASSWORD)
    changed = Account.get(account.id)
    assert (changed.password_hash, changed.email_verified_at) == (hash_of(OTHER), latchkey.clock.now_ms)


def test_change_of_address_moves_the_claim(latchkey: TestApp) -> None:
    """The new address belongs to the account, and the old one to nobody, at once."""
    account = person()
    use(link(account, email_links.CHANGE_EMAIL), email_links.CHANGE_EMAIL)
    assert Account.get(account.id).email == NEW_EMAIL
    assert Email.get(NEW_EMAIL).account_id == account.id
    assert person(email=account.email).email == account.email


def test_change_to_an_address_that_was_taken_meanwhile_is_a_conflict(latchkey: TestApp) -> None:
    """The link is not spent on it, and nothing has changed."""
    account = person()
    secret = link(account, email_links.CHANGE_EMAIL)
    other = person(email=NEW_EMAIL)
    with pytest.raises(errors.Conflict):
        use(secret, email_links.CHANGE_EMAIL)
    assert Account.get(account.id).email == account.email
    assert Email.get(NEW_EMAIL).account_id == other.id
    email_links.looked_up(secret, email_links.CHANGE_EMAIL)


def test_link_to_an_address_the_account_has_left_is_void(latchkey: TestApp) -> None:
    """Neither proof nor reset can come from a mailbox that is the account's no more."""
    account = person(verified=False)
    old = {purpose: link(account, purpose) for purpose in (email_links.VERIFY_EMAIL, email_links.SET_PASSWORD)}
    use(link(account, email_links.CHANGE_EMAIL), email_links.CHANGE_EMAIL)
    for purpose, secret in old.items():
        with pytest.raises(email_links.SpentLink):
            use(secret, purpose)


@pytest.mark.parametrize("purpose", [email_links.SET_PASSWORD, email_links.CHANGE_EMAIL])
@pytest.mark.parametrize("what", ["password_change", "reset", "suspension"])
def test_link_is_void_with_the_sessions_of_its_time(latchkey: TestApp, purpose: str, what: str) -> None:
    """What someone asked for with a stolen password doesn't outlive what the owner did about it."""
    account = person()
    session = sessions.session_of(sessions.open_session(account))
    secret = link(account, purpose)
    ticket = email_links.looked_up(secret, purpose)
    assert session is not None
    if what == "password_change":
        self_service.change_password(
            session, caller=SOMEWHERE, password=PASSWORD, new_password=OTHER, base_url="https://api.example.com"
        )
    elif what == "reset":
        use(link(account, email_links.SET_PASSWORD), email_links.SET_PASSWORD)
    else:
        change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor="operator")
    with pytest.raises(email_links.SpentLink):
        use(secret, purpose)
    # Also when the account was read before.
    spend = (
        email_links.change_email
        if purpose == email_links.CHANGE_EMAIL
        else partial(email_links.set_password, password_hash="")
    )
    with pytest.raises(email_links.SpentLink):
        spend(ticket, account)


@pytest.mark.parametrize("what", ["password_change", "log_out_everywhere", "suspension"])
@pytest.mark.parametrize("kind", ["verification", "invitation", "handed_over"])
def test_every_link_ends_with_the_sessions(latchkey: TestApp, box: Mailbox, kind: str, what: str) -> None:
    """One that somebody else may hold sets no password, and proves nothing, after its person has acted."""
    if kind == "invitation":
        invited = invite(email="ada@example.com", name="Ada", tier=tiers.FREE)
        account, secret = invited.account, invited.link
        account.update(actions=[Account.password_hash.set(hash_of(PASSWORD))])
    else:
        account = person(verified=False)
        if kind == "handed_over":
            secret = email_links.handed_over(account)
        else:
            sign_up.send_verification(account, networks=SOMEWHERE.networks, base_url="https://api.example.com")
            secret = box.take_one().ticket
    purpose = email_links.VERIFY_EMAIL if kind == "verification" else email_links.SET_PASSWORD
    ticket = email_links.looked_up(secret, purpose)
    before = email_links.account_of(ticket)
    acted(before, what)
    changed = Account.get(account.id)
    with pytest.raises(email_links.SpentLink):
        use(secret, purpose)
    with pytest.raises(email_links.SpentLink):
        email_links.set_password(ticket, before, hash_of(OTHER + "!"))
    after = Account.get(account.id)
    assert (after.password_hash, after.is_verified) == (changed.password_hash, False)


def acted(account: Account, what: str) -> None:
    """Do what ends an account's sessions."""
    if what == "password_change":
        session = sessions.session_of(sessions.open_session(account))
        assert session is not None
        self_service.change_password(
            session, caller=SOMEWHERE, password=PASSWORD, new_password=OTHER, base_url="https://api.example.com"
        )
    elif what == "log_out_everywhere":
        sessions.end_all(account.id)
    else:
        change.set_standing(account.id, tier=None, status=states.SUSPENDED, actor="operator")
        change.set_standing(account.id, tier=None, status=states.ACTIVE, actor="operator")


def test_second_link_to_confirm_confirms_what_is_confirmed(latchkey: TestApp) -> None:
    """Of two that were sent the second isn't called spent, and changes nothing."""
    account = person(verified=False)
    first, second = (link(account, email_links.VERIFY_EMAIL) for _ in range(2))
    use(first, email_links.VERIFY_EMAIL)
    proven = Account.get(account.id)
    use(second, email_links.VERIFY_EMAIL)
    assert Account.get(account.id).serialize() == proven.serialize()


@pytest.mark.parametrize("first", ["invitation", "reset"])
def test_invitation_and_reset_each_work_first(latchkey: TestApp, box: Mailbox, first: str) -> None:
    """Both are good until one is used; then the other sets no password any more."""
    invited = invite(email="ada@example.com", name="Ada", tier=tiers.FREE)
    sign_up.ask_for_reset(email="ada@example.com", caller=SOMEWHERE, base_url="https://api.example.com")
    used, left = invited.link, box.take_one().ticket
    if first == "reset":
        used, left = left, used
    use(used, email_links.SET_PASSWORD)
    with pytest.raises(email_links.SpentLink):
        use(left, email_links.SET_PASSWORD)


def test_links_of_a_deleted_account_are_void(latchkey: TestApp) -> None:
    """A link brings no deleted account back, not even as a stump."""
    account = person()
    secrets_of = {purpose: link(account, purpose) for purpose in PURPOSES}
    session = sessions.session_of(sessions.open_session(account))
    assert session is not None
    self_service.delete(session, caller=SOMEWHERE, password=PASSWORD)
    for purpose, secret in secrets_of.items():
        with pytest.raises(email_links.SpentLink):
            use(secret, purpose)
    assert Account.get(account.id).status == self_service.DELETED


def test_second_link_to_an_address_that_the_account_has_is_spent(latchkey: TestApp) -> None:
    """Who asked twice and uses both links is told of no failure, and the account stays where it moved."""
    account = person(email="old@example.com")
    first, second = (
        email_links.new_link(account.id, email_links.CHANGE_EMAIL, email=NEW_EMAIL, epoch=account.session_epoch)
        for _ in range(2)
    )
    use(first, email_links.CHANGE_EMAIL)
    use(second, email_links.CHANGE_EMAIL)
    assert Account.get(account.id).email == NEW_EMAIL
    with pytest.raises(email_links.SpentLink):
        use(second, email_links.CHANGE_EMAIL)
