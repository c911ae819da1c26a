"""Change the password or the email address of a logged-in user, delete the user, or delete an account.

Each of these requires the current password. An attempt counts against the same limits as a log-in (see
`password_attempts`), before the password is checked.
"""

from chalicelib.accounts import (
    email_limits,
    email_links,
    email_sender,
    emails,
    find,
    invalidation,
    members,
    owned_clients,
    password_attempts,
    password_rules,
    passwords,
    quota_inheritance,
)
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.members import Membership
from chalicelib.accounts.password_attempts import Caller
from chalicelib.accounts.roles import OWNER
from chalicelib.accounts.sessions import LoggedIn
from chalicelib.accounts.states import DELETED
from chalicelib.accounts.tables import Account, EmailClaim, Member, Session, User
from chalicelib.core import errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.jobs import progress
from chalicelib.jobs.tables import Job
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import EMAIL_CHANGE_EMAILS


def change_password(login: LoggedIn, *, caller: Caller, password: str, new_password: str, base_url: str) -> None:
    """Set a new password and end every other session.

    Raises InvalidRequest when `password` is wrong or the new password breaks a rule, and Rejected after too many
    attempts.
    """
    user, session = login.user, login.session
    with errors.about("new_password"):
        password_rules.check_format(new_password)
    check_password(user, password, caller)
    with errors.about("new_password"):
        new_hash = passwords.hash_password(password_rules.validate(new_password, email=user.email, name=user.name))
    epoch = user.session_epoch + 1
    conflict = errors.Conflict("The password was changed in the meantime. Log in again.")
    with models.raise_on_condition_failure(conflict), models.transaction() as write:
        write.update(
            User(user.id),
            actions=[User.password_hash.set(new_hash), User.session_epoch.set(epoch)],
            # Of two concurrent changes one fails. Otherwise an attacker with the old password could overwrite the new
            # one.
            condition=(User.password_hash == user.password_hash) & (User.session_epoch == user.session_epoch),
        )
        record.add_to(write, user.id, kinds.PASSWORD_CHANGED, {})
        write.update(Session(session.digest), actions=[Session.epoch.set(epoch)], condition=Session.id.exists())
    email_sender.send(emails.password_changed(user, f"{base_url}/forgot"))


def request_email_change(login: LoggedIn, *, caller: Caller, password: str, email: str, base_url: str) -> None:
    """Send a link to a new email address. When the link is used, the user's address changes.

    If another user has the address, nothing is sent, but the response is the same. Raises InvalidRequest when the
    password is wrong or `email` is invalid, Conflict when email isn't configured, Rejected after too many attempts or
    emails, and EmailNotSent when SES rejects the email.
    """
    user = login.user
    if not email_sender.is_configured():
        raise errors.Conflict(
            "This API doesn't send email, so a new address can't be confirmed. Ask the operator of this API for help."
        )
    address = parse(email)
    check_password(user, password, caller)
    admit_networks(caller.networks, EMAIL_CHANGE_EMAILS.network)
    left = email_limits.count_own(user, EMAIL_CHANGE_EMAILS)
    if left.quota_left < left.limit - 1:
        # A user's first email of an hour is sent even if other users have exhausted the limit of this address.
        email_limits.count_address(address.claim, EMAIL_CHANGE_EMAILS)
    token = email_links.new_link(user.id, email_links.CHANGE_EMAIL, email=address.mailbox, epoch=user.session_epoch)
    message = emails.confirm_new_address(address.mailbox, f"{base_url}/verify?ticket={token}")
    try:
        find.user_by_email(address.claim)
    except errors.NotFound:
        email_sender.send_or_fail(message)
    else:
        email_sender.simulate_or_fail(message)


def delete_account(owner: Membership, *, caller: Caller, password: str) -> Job:
    """Delete an account: remove its name, and invalidate everything that was created in it.

    Returns the job that deletes its data (see `termination.account_deletion`). Raises InsufficientRole unless the
    caller is an owner, InvalidRequest when the password is wrong, and Rejected after too many attempts. Raises
    Unavailable when the account is deleted but the invalidation mark couldn't be set or the ends of its clients
    couldn't be recorded; its keys or the tokens of its clients may then be accepted for 5 more minutes.
    """
    account = owner.account
    members.require(owner, OWNER)
    check_password(owner.user, password, caller)
    conflict = errors.Conflict("The account was changed in the meantime. Reload the page and try again.")
    pending = progress.new(progress.OF_ACCOUNT, account.id)

    def add_to(write: models.Transaction) -> None:
        # The termination deletes the memberships. Until then, it finds the members by them.
        write.condition_check(Member, account.id, owner.user.id, condition=Member.role == OWNER)
        write.update(User(owner.user.id), actions=[User.account_ids.delete({account.id})])
        write.update(
            Account(account.id),
            actions=[
                Account.status.set(DELETED),
                Account.name.set("deleted"),
                Account.live_keys.set({}),
                Account.listed.remove(),
            ],
            condition=Account.listed.exists(),
        )
        record.add_to(write, account.id, kinds.ACCOUNT_DELETED, {})
        quota_inheritance.add_to_deletion(write, owner)
        write.save(pending)

    are_ends_recorded = owned_clients.set_status(account.id, DELETED, add_to, refused=conflict)
    if not invalidation.mark_account(account.id):
        raise errors.Unavailable("The account is deleted, but its keys may be accepted for up to 5 more minutes.")
    if not are_ends_recorded:
        raise errors.Unavailable(
            "The account is deleted, but tokens of its applications may be accepted for up to 5 more minutes."
        )
    return pending


def delete_user(login: LoggedIn, *, caller: Caller, password: str) -> None:
    """Delete a user: remove their name and address, and end their sessions. A job deletes their data.

    Raises Conflict while the user belongs to an account, InvalidRequest when the password is wrong, and Rejected after
    too many attempts.
    """
    user = login.user
    remaining = errors.Conflict("You still belong to an account. Leave it or delete it first.")
    if user.account_ids:
        raise remaining
    check_password(user, password, caller)
    with models.raise_on_condition_failure(remaining), models.transaction() as write:
        write.delete(EmailClaim(user.email), condition=EmailClaim.user_id == user.id)
        write.update(
            User(user.id),
            actions=[
                User.status.set(DELETED),
                User.email.set("deleted"),
                User.typed_email.remove(),
                User.name.set("deleted"),
                User.session_epoch.add(1),
                User.password_hash.remove(),
                User.listed.remove(),
            ],
            condition=User.listed.exists() & (User.email == user.email) & User.account_ids.does_not_exist(),
        )
        record.add_to(write, user.id, kinds.USER_DELETED, {})
        write.save(progress.new(progress.OF_USER, user.id))


def check_password(user: User, password: str, caller: Caller) -> None:
    """Raise InvalidRequest when the user's password is wrong, and Rejected after too many attempts."""
    password_attempts.count_by_network(caller)
    password_attempts.count_by_user(caller, user.email, user)
    if not passwords.matches(password, user.password_hash):
        raise errors.InvalidRequest("Incorrect password.").about("password")
