"""Change the password or the email address of the caller's account, or delete the account.

Each of these requires the current password. An attempt counts against the same limits as a log-in (see
`password_attempts`), before the password is checked.
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
    pending_terminations,
    quota_inheritance,
)
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.pending_terminations import PendingTermination
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.states import DELETED
from chalicelib.accounts.tables import Account, EmailClaim, Session
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits import stale_marks
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import EMAIL_CHANGE_EMAILS


def change_password(login: LoggedIn, *, caller: Caller, password: str, new_password: str, base_url: str) -> None:
    """Set a new password and end every other session.

    Raises InvalidRequest when `password` is wrong or the new password breaks a rule, and Rejected after too many
    attempts.
    """
    account, session = login.account, login.session
    with errors.about("new_password"):
        password_rules.check_format(new_password)
    _check_password(account, password, caller)
    with errors.about("new_password"):
        new_hash = passwords.hash_password(
            password_rules.validate(new_password, email=account.email, name=account.name)
        )
    epoch = account.session_epoch + 1
    conflict = errors.Conflict("The password was changed in the meantime. Log in again.")
    with models.raise_on_condition_failure(conflict), models.transaction() as write:
        write.update(
            Account(account.id),
            actions=[Account.password_hash.set(new_hash), Account.session_epoch.set(epoch)],
            # Of two concurrent changes one fails. Otherwise an attacker with the old password could overwrite the new
            # one.
            condition=(Account.password_hash == account.password_hash)
            & (Account.session_epoch == account.session_epoch),
        )
        record.add_to(write, account.id, kinds.PASSWORD_CHANGED, {})
        write.update(Session(session.digest), actions=[Session.epoch.set(epoch)], condition=Session.id.exists())
    email_sender.send(emails.password_changed(account, f"{base_url}/forgot"))


def request_email_change(login: LoggedIn, *, caller: Caller, password: str, email: str, base_url: str) -> None:
    """Send a link to a new email address. When the link is used, the account's address changes.

    If another account has the address, nothing is sent, but the response is the same. Raises InvalidRequest when the
    password is wrong or `email` is invalid, Conflict when email isn't configured, Rejected after too many attempts or
    emails, and EmailNotSent when SES rejects the email.
    """
    account = login.account
    if not email_sender.is_configured():
        raise errors.Conflict(
            "This API doesn't send email, so a new address can't be confirmed. Ask the operator of this API for help."
        )
    address = parse(email)
    _check_password(account, password, caller)
    admit_networks(caller.networks, EMAIL_CHANGE_EMAILS.network)
    left = email_limits.count_own(account, EMAIL_CHANGE_EMAILS)
    if left.quota_left < left.limit - 1:
        # An account's first email of an hour is sent even if other accounts have exhausted the limit of this address.
        email_limits.count_address(address.claim, EMAIL_CHANGE_EMAILS)
    token = email_links.new_link(
        account.id, email_links.CHANGE_EMAIL, email=address.mailbox, epoch=account.session_epoch
    )
    message = emails.confirm_new_address(address.mailbox, f"{base_url}/verify?ticket={token}")
    try:
        find.account_by_email(address.claim)
    except errors.NotFound:
        email_sender.send_or_fail(message)
    else:
        email_sender.simulate_or_fail(message)


def delete(login: LoggedIn, *, caller: Caller, password: str) -> PendingTermination:
    """Delete an account: remove its name and address, and invalidate everything that it created.

    Returns the pending termination that deletes its data (see `termination.account_deletion`). Raises InvalidRequest
    when the password is wrong, and Rejected after too many attempts. Raises Unavailable when the account is deleted but
    the invalidation mark couldn't be set or the ends of its clients couldn't be recorded; its keys or the tokens of its
    clients may then be accepted for 5 more minutes.
    """
    account = login.account
    _check_password(account, password, caller)
    conflict = errors.Conflict("The account was changed in the meantime. Reload the page and try again.")
    pending = pending_terminations.new(pending_terminations.OF_ACCOUNT, account.id)

    def add_to(write: models.Transaction) -> None:
        write.delete(EmailClaim(account.email), condition=EmailClaim.account_id == account.id)
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
        write.save(pending)

    are_ends_recorded = owned_clients.set_status(account.id, DELETED, add_to, refused=conflict)
    if not stale_marks.mark(account.id):
        raise errors.Unavailable("The account is deleted, but its keys may be accepted for up to 5 more minutes.")
    if not are_ends_recorded:
        raise errors.Unavailable(
            "The account is deleted, but tokens of its applications may be accepted for up to 5 more minutes."
        )
    return pending


def _check_password(account: Account, password: str, caller: Caller) -> None:
    password_attempts.count_by_network(caller)
    password_attempts.count_by_account(caller, account.email, account)
    if not passwords.matches(password, account.password_hash):
        raise errors.InvalidRequest("Incorrect password.").about("password")
