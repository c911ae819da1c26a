"""Accept an invitation: in a session of a user with the invited address, or as a new user.

An invitation never logs anybody in. Of several concurrent acceptances one succeeds.
"""

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.operand import Path

from chalicelib.accounts import create, email_links, members, roles, unverified
from chalicelib.accounts.invitations import Opened
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, EmailClaim, Invitation, Member, OneTimeToken, User
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record


def accept(opened: Opened, user: User) -> None:
    """Make a user a member. Of several concurrent acceptances one succeeds.

    Raises Conflict if the user's address isn't the invited one or is unverified, the user is a member already or
    belongs to the maximum number of accounts. Raises SpentLink if the invitation was accepted, replaced or withdrawn.
    """
    if user.email != opened.invitation.email:
        raise errors.Conflict("This invitation is for another email address. Log in with that address to accept it.")
    unverified.require_verified_email(user)
    member = _member(opened, user)
    try:
        with models.transaction() as write:
            members.add_to(write, member, user)
            _spend(write, opened, member)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        if models.find_failed_write(error, Member(member.account_id, member.user_id)) is not None:
            raise errors.Conflict("You are already a member of this account.") from None
        if models.find_failed_write(error, User(user.id)) is not None:
            raise members.too_many(user) from None
        raise email_links.SpentLink from None


def accept_as_new_user(opened: Opened, *, name: str, password_hash: str) -> User:
    """Create a user with the invited address who is a member, in one transaction, and return the user.

    The address is verified if the link was sent to it. Raises Conflict if a user has the address, and SpentLink if the
    invitation was accepted, replaced or withdrawn.
    """
    user = create.new_user(email=opened.invitation.mailbox, name=name, password_hash=password_hash)
    user.email_verified_at = clock.now_ms() if opened.proves_address else None
    user.account_ids = {opened.account.id}
    member, claim = _member(opened, user), EmailClaim(user.email, user_id=user.id)
    try:
        with models.transaction() as write:
            write.save(claim, condition=EmailClaim.email.does_not_exist())
            write.save(user, condition=User.id.does_not_exist())
            write.save(member, condition=Member.role.does_not_exist())
            record.add_to(write, user.id, kinds.USER_CREATED, {})
            _spend(write, opened, member)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        if models.find_failed_write(error, claim) is not None:
            raise errors.Conflict("A user with this address exists. Log in to accept the invitation.") from None
        raise email_links.SpentLink from None
    return user


def _spend(write: models.Transaction, opened: Opened, member: Member) -> None:
    """In a transaction, consume an invitation: delete it, if its link is still the current one."""
    invitation, now_ms = opened.invitation, clock.now_ms()
    write.delete(
        Invitation(invitation.account_id, invitation.id),
        condition=(Invitation.digest == opened.token.digest) & (Invitation.expires_at > now_ms),
    )
    write.delete(OneTimeToken(opened.token.digest))
    is_active = (Account.status == ACTIVE) & (Account.credentials_since <= invitation.created_at)
    is_of_service_user = roles.is_service_user(invitation.invited_by, invitation.account_id)
    if is_of_service_user:
        key_ends_at = Path(["live_keys", str(invitation.invited_with)])
        is_active &= (key_ends_at == 0) | (key_ends_at > now_ms)
    if member.role == roles.OWNER:
        write.update(Account(member.account_id), actions=[Account.owners.add(1)], condition=is_active)
    else:
        write.condition_check(Account, member.account_id, condition=is_active)
    if not is_of_service_user:
        # A user who can't give the role any more can't have given it away in advance.
        may_give = (roles.OWNER,) if member.role == roles.OWNER else (roles.OWNER, roles.ADMIN)
        write.condition_check(
            Member,
            invitation.account_id,
            invitation.invited_by,
            condition=Member.role.is_in(*may_give) & (Member.since <= invitation.created_at),
        )
    details = {"user": member.user_id, "role": member.role}
    record.add_to(write, member.account_id, kinds.MEMBER_JOINED, details)


def _member(opened: Opened, user: User) -> Member:
    invited_by = opened.invitation.invited_by
    return members.new(opened.account.id, user.id, opened.invitation.role, invited_by=invited_by)
