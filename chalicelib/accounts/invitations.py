"""Invitations: an account's admin invites an email address, and its owner joins the account by a one-time link.

An account has at most one invitation for each address, under an id that is derived from both. Inviting the address
again replaces it, and invalidates its earlier link. An invitation never logs anybody in: a user joins in a session of
their own with the invited address, and a new user chooses a password and then logs in.
"""

import hashlib
from dataclasses import dataclass, field

from chalicelib.accounts import (
    email_limits,
    email_links,
    email_sender,
    emails,
    find,
    managers,
    members,
    roles,
    unverified,
)
from chalicelib.accounts.email_address import Address, parse
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.states import ACTIVE
from chalicelib.accounts.tables import Account, Invitation, Member, OneTimeToken
from chalicelib.core import clock, errors, randomness
from chalicelib.core.dynamodb import filtered_page, models
from chalicelib.events import kinds, record
from chalicelib.limits.admission import admit
from chalicelib.limits.anonymous_limits import admit_networks
from chalicelib.limits.tiers import INVITATION_EMAILS, INVITATIONS

PURPOSE = "invitation"
LIFETIME_MS = 7 * clock.DAY_S * 1000
KEPT_S = clock.DAY_S
FIRST_ID, LAST_ID = "inv_", "inv_~"


@dataclass(frozen=True, slots=True)
class Invited:
    """A stored invitation, and the secret of its link, which is not stored."""

    invitation: Invitation
    link: str = field(repr=False)
    token: OneTimeToken = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A valid link, its invitation and the account to which it invites."""

    token: OneTimeToken
    invitation: Invitation
    account: Account

    @property
    def proves_address(self) -> bool:
        """Return whether the link was sent to the invited address, so that it proves access to the address."""
        return self.token.email is not None


def invite(manager: Manager, *, email: str, role: str, networks: tuple[str, ...], base_url: str) -> Invited:
    """Invite an address to an account with a role. An earlier invitation of the address is replaced.

    If email is configured, the link is sent to the address; otherwise the caller must hand it over. Raises
    InvalidRequest for an invalid address, InsufficientRole if the manager may not give the role, Conflict if a member
    has the address or the manager's own address is unverified, Rejected when a limit is exceeded, and EmailNotSent if
    the invitation is stored but the email couldn't be sent.
    """
    managers.require_may_give(manager, role)
    address = parse(email)
    unverified.require_verified(manager)
    admit_networks(networks, INVITATION_EMAILS.network)
    admit(f"invitations_{manager.account_id}", INVITATIONS)
    if _is_member(address, manager.account_id):
        raise errors.Conflict("A member of this account has this address.")
    email_limits.count_invitation(address.claim, manager.account_id)
    invited = _new(manager, address, role)
    _store(manager, invited)
    if email_sender.is_configured():
        link = f"{base_url}/invitation?ticket={invited.link}"
        email_sender.send_or_fail(emails.invitation(address.mailbox, link))
    return invited


def withdraw(manager: Manager, invitation_id: str) -> None:
    """Delete an invitation, so that its link is no longer valid.

    Raises NotFound if there is no such invitation, and InsufficientRole if its role is above the manager's.
    """
    invitation = get(manager.account_id, invitation_id)
    managers.require_may_give(manager, invitation.role)
    with models.raise_on_condition_failure(_not_found()), models.transaction() as write:
        write.delete(Invitation(manager.account_id, invitation.id), condition=Invitation.digest == invitation.digest)
        managers.require_unchanged(write, manager)
        details = {"invitation": invitation.id, "role": invitation.role}
        record.add_to(write, manager.account_id, kinds.INVITATION_WITHDRAWN, details)


def read_page(account: Account, size: int, *, after: str = "") -> tuple[list[Invitation], str]:
    """Return up to `size` valid invitations of an account by id, and the id after which the next page starts ("" at the
    end).

    If `after` is given, only those with a greater id are returned. If there are many invalid ones, the page may contain
    fewer invitations than exist (see `filtered_page`).
    """
    beyond = Invitation.id.between(f"{after} " if after else FIRST_ID, LAST_ID)
    # The same as `_is_valid`.
    valid = (Invitation.created_at >= account.credentials_since) & (Invitation.expires_at > clock.now_ms())
    return filtered_page.read(Invitation, account.id, beyond, valid, size=size)


def get(account_id: str, invitation_id: str) -> Invitation:
    """Return an invitation of an account; raise NotFound if there is no such invitation, or it has expired."""
    invitation = Invitation.found(account_id, invitation_id) if invitation_id.startswith(FIRST_ID) else None
    if invitation is None or invitation.expires_at <= clock.now_ms():
        raise _not_found()
    return invitation


def open_link(secret: str) -> Opened:
    """Return the invitation of a link without accepting it; raise SpentLink if the link is no longer valid."""
    token = email_links.find_link(secret, PURPOSE)
    invitation = Invitation.found(token.account_id, _id(str(token.account_id), str(token.name)))
    account = Account.found(token.account_id)
    if invitation is None or invitation.digest != token.digest or account is None or account.status != ACTIVE:
        raise email_links.SpentLink
    if not _is_valid(invitation, account) or not _may_sender_give(invitation, account):
        raise email_links.SpentLink
    return Opened(token, invitation, account)


def _new(manager: Manager, address: Address, role: str) -> Invited:
    now_ms = clock.now_ms()
    is_mailed = email_sender.is_configured()
    is_service_user = roles.is_service_user(manager.user_id, manager.account_id)
    token, secret = email_links.new_token(find.NO_USER, PURPOSE, epoch=0, email=address.claim if is_mailed else None)
    token.account_id, token.name, token.user_id = manager.account_id, address.claim, None
    token.expires_at = now_ms + LIFETIME_MS
    token.dies_at = token.expires_at // 1000 + KEPT_S
    invitation = Invitation(
        manager.account_id,
        _id(manager.account_id, address.claim),
        email=address.claim,
        typed_email=None if address.mailbox == address.claim else address.mailbox,
        role=role,
        invited_by=manager.user_id,
        invited_with=manager.credential_id if is_service_user else None,
        created_at=now_ms,
        expires_at=token.expires_at,
        digest=token.digest,
        dies_at=token.dies_at,
    )
    return Invited(invitation, secret, token)


def _store(manager: Manager, invited: Invited) -> None:
    invitation = invited.invitation
    changed = errors.Conflict(
        "Your role in this account has changed in the meantime, or the address is invited by an owner to be one, too."
    )
    condition = Invitation.role.does_not_exist() | (Invitation.expires_at <= clock.now_ms())
    for role in roles.ALL:
        if managers.may_give(manager, role):
            condition |= Invitation.role == role
    with models.raise_on_condition_failure(changed), models.transaction() as write:
        managers.require_unchanged(write, manager)
        write.save(invited.token, condition=OneTimeToken.digest.does_not_exist())
        # An invitation to a role that the manager may not give isn't replaced.
        write.save(invitation, condition=condition)
        details = {"invitation": invitation.id, "role": invitation.role}
        record.add_to(write, invitation.account_id, kinds.INVITATION_CREATED, details)


def _is_valid(invitation: Invitation, account: Account) -> bool:
    is_current = not account.predates_verification(invitation.created_at)
    return is_current and bool(invitation.expires_at > clock.now_ms())


def _may_sender_give(invitation: Invitation, account: Account) -> bool:
    """Return whether the user who invited is a member since before the invitation and may still give the role, or the
    service user's key that invited is still valid. Accepting it requires this, too.
    """
    if roles.is_service_user(invitation.invited_by, invitation.account_id):
        ends_at = account.live_keys.as_dict().get(str(invitation.invited_with))
        return ends_at is not None and (ends_at == 0 or ends_at > clock.now_ms())
    sender = Member.found(invitation.account_id, invitation.invited_by)
    if sender is None or sender.since > invitation.created_at:
        return False
    return managers.may_give(Manager(invitation.account_id, sender.user_id, sender.role), invitation.role)


def _is_member(address: Address, account_id: str) -> bool:
    try:
        user = find.user_by_email(address.claim)
        members.find(user, account_id)
    except errors.NotFound:
        return False
    return True


def _id(account_id: str, claim: str) -> str:
    digest = hashlib.sha256(f"{account_id} {claim}".encode()).digest()
    return f"{FIRST_ID}{randomness.to_base62(int.from_bytes(digest[:15]), 20)[-20:]}"


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such invitation. It may have been accepted or withdrawn, or has expired.")
