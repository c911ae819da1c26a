"""What people do to their own accounts: another password, another address, leaving. Each asks for the password.


Guessing it there is guessing at log-in (see `attempts`): it is counted the same way, and refused before it is checked.
"""

from chalicelib.accounts import (
    email_limits,
    email_links,
    email_sender,
    emails,
    find,
    owned_clients,
    password_attempts,
    password_rules,
    passwords,
    quota_inheritance,
    unfinished,
)
from chalicelib.accounts.email_address import parsed
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.tables import Account, Email, Session
from chalicelib.accounts.unfinished import Unfinished
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import EMAIL_CHANGE_MAILS

DELETED = "deleted"


def change_password(login: LoggedIn, *, caller: Caller, password: str, new_password: str, base_url: str) -> None:
    """Set another password; every other session ends, this one goes on.

    Raises InvalidRequest when `password` is wrong or the new one can't be used, and Refused after too many attempts.
    """
    account, session = login.account, login.session
    with errors.about("new_password"):
        password_rules.check_format(new_password)
    _confirmed(account, password, caller)
    with errors.about("new_password"):
        new_hash = passwords.hashed(password_rules.validate(new_password, email=account.email, name=account.name))
    epoch = account.session_epoch + 1
    outrun = errors.Conflict("The password was changed in the meantime. Log in again.")
    with models.refused_as(outrun), models.transaction() as write:
        write.update(
            Account(account.id),
            actions=[Account.password_hash.set(new_hash), Account.session_epoch.set(epoch)],
            # Of two changes at once one wins: whoever knew only the old password must not set the last word.
            condition=(Account.password_hash == account.password_hash)
            & (Account.session_epoch == account.session_epoch),
        )
        record.add_to(write, account.id, kinds.PASSWORD_CHANGED, {})
        write.update(Session(session.digest), actions=[Session.epoch.set(epoch)], condition=Session.id.exists())
    email_sender.send(emails.password_changed(account, f"{base_url}/forgot"))


def ask_for_email(login: LoggedIn, *, caller: Caller, password: str, email: str, base_url: str) -> None:
    """Send a link to another address; the account moves there when it is used.

    To an address that is taken nothing is sent, and the page says the same. Raises InvalidRequest when the password is
    wrong or `email` is no address, Conflict where no mail is sent, Refused after too many attempts or mails, and
    MailNotSent when SES takes no mail.
    """
    account = login.account
    if not email_sender.is_configured():
        raise errors.Conflict(
            "This API doesn't send email, so a new address can't be confirmed. Ask the operator of this API for help."
        )
    address = parsed(email)
    _confirmed(account, password, caller)
    admit_networks(caller.networks, EMAIL_CHANGE_MAILS.network)
    left = email_limits.count_own(account, EMAIL_CHANGE_MAILS)
    if left.quota_left < left.limit - 1:
        # The first isn't held back by what others asked for: only in a session of theirs would those links work.
        email_limits.count_address(address.claim, EMAIL_CHANGE_MAILS)
    ticket = email_links.new_link(
        account.id, email_links.CHANGE_EMAIL, email=address.mailbox, epoch=account.session_epoch
    )
    message = emails.confirm_new_address(address.mailbox, f"{base_url}/verify?ticket={ticket}")
    try:
        find.account_by_email(address.claim)
    except errors.NotFound:
        email_sender.send_or_fail(message)
    else:
        email_sender.simulate_or_fail(message)


def delete(login: LoggedIn, *, caller: Caller, password: str) -> Unfinished:
    """Delete an account: its name and address go, what it made stops at once, the address is free.

    Return the pending termination that deletes its data (see `termination.account_deletion`). Raises InvalidRequest
    when the password is wrong, Refused after too many attempts, and Unavailable when the keys may be accepted for up to
    5 more minutes; the termination is stored in each case.
    """
    account = login.account
    _confirmed(account, password, caller)
    outrun = errors.Conflict("The account was changed in the meantime. Reload the page and try again.")
    ending = unfinished.new(unfinished.OF_ACCOUNT, account.id)

    def add_to(write: models.Transaction) -> None:
        write.delete(Email(account.email), condition=Email.account_id == account.id)
        write.update(
            Account(account.id),
            actions=[
                Account.status.set(DELETED),
                Account.email.set("deleted"),
                Account.typed_email.remove(),
                Account.name.set("deleted"),
                Account.live_keys.set({}),
                Account.session_epoch.add(1),
                Account.password_hash.remove(),
                Account.listed.remove(),
            ],
            condition=Account.listed.exists() & (Account.email == account.email),
        )
        record.add_to(write, account.id, kinds.ACCOUNT_DELETED, {})
        quota_inheritance.add_to_deletion(write, account)
        write.save(ending)

    owned_clients.with_status(account.id, DELETED, add_to, refused=outrun)
    if not stale_marks.mark(account.id):
        raise errors.Unavailable("The account is deleted, but its keys may be accepted for up to 5 more minutes.")
    return ending


def _confirmed(account: Account, password: str, caller: Caller) -> None:
    password_attempts.count_by_network(caller)
    password_attempts.count_by_account(caller, account.email, account)
    if not passwords.matches(password, account.password_hash):
        raise errors.InvalidRequest("Incorrect password.").about("password")
