"""Settings > Members: invite, withdraw an invitation, change a role, transfer the account, remove, leave."""

from chalicelib.accounts import email_sender, invitations, member_roles, members, roles
from chalicelib.accounts.tables import Invitation
from chalicelib.api.console import confirm
from chalicelib.api.console.callers import networks_of
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import Enum
from chalicelib.core import ids
from chalicelib.termination import finish, member_removal

HOME = "/settings/members"
PAGE_SIZE = 50
ROLE = Enum(roles.ALL)
KEYS = Enum(member_removal.CHOICES)


def show_members(request: PageRequest) -> Render:
    """List the members, and for admins the open invitations with a form for a new one. Each list has pages."""
    own, after, invited_after = request.membership, _after(request, "after", "usr"), _after(request, "invited", "inv")
    found, next_after = members.read_page(own.account, PAGE_SIZE, after=after)
    invited: list[Invitation] = []
    next_invited = ""
    if own.may(roles.ADMIN):
        invited, next_invited = invitations.read_page(own.account, PAGE_SIZE, after=invited_after)
    values = {
        "own": own,
        "members": found,
        "next": next_after,
        "after": after,
        "invitations": invited,
        "next_invited": next_invited,
        "invited_after": invited_after,
        "roles": _roles_to_give(own),
        "link": None,
    }
    return Render("members", values)


def invite(request: PageRequest) -> Render | Redirect:
    """Invite an address. If email isn't configured, show the link, which the user has to hand over."""
    invited = invitations.invite(
        request.membership.manager,
        email=request.text("email"),
        role=request.check("role", ROLE),
        networks=networks_of(request),
        base_url=request.base_url,
    )
    if email_sender.is_configured():
        return Redirect(HOME, "invited")
    page = show_members(request)
    link = f"{request.base_url}/invitation?ticket={invited.link}"
    return Render(page.template, {**page.values, "link": link, "invited": invited.invitation})


def resend(request: PageRequest, invitation_id: str) -> Render | Redirect:
    """Send the invitation again, with a new link."""
    invitation = invitations.get(request.account.id, invitation_id)
    request.form |= {"email": [invitation.mailbox], "role": [invitation.role]}
    return invite(request)


def confirm_withdraw(request: PageRequest, invitation_id: str) -> Render:
    """Ask for confirmation before an invitation is withdrawn."""
    invitation = invitations.get(request.account.id, invitation_id)
    return confirm.ask(
        confirm.Question(
            heading="Withdraw this invitation?",
            consequence="Its link stops working.",
            about=invitation.email,
            action=f"{HOME}/invitations/{invitation_id}/withdraw",
            button="Withdraw",
            back=HOME,
            back_label="Members",
        )
    )


def withdraw(request: PageRequest, invitation_id: str) -> Redirect:
    """Withdraw an invitation."""
    invitations.withdraw(request.membership.manager, invitation_id)
    return Redirect(HOME, "invitation-withdrawn")


def show_member(request: PageRequest, user_id: str) -> Render:
    """Show a member: the form for the role, and the form for the removal with the choice about the keys."""
    own, member = request.membership, member_roles.member_of(request.account.id, user_id)
    is_own = member.user.id == own.user.id
    may_manage = own.may(roles.OWNER if member.role == roles.OWNER else roles.ADMIN)
    values = {
        "member": member,
        "is_own": is_own,
        "may_change": may_manage,
        "may_remove": may_manage or is_own,
        "may_transfer": own.may(roles.OWNER) and member.role != roles.OWNER,
        "may_move": own.may(roles.ADMIN),
        "roles": _roles_to_give(own),
    }
    return Render("member", values)


def change_role(request: PageRequest, user_id: str) -> Redirect:
    """Set the role of a member."""
    member_roles.change_role(request.membership.manager, user_id, request.check("role", ROLE))
    return Redirect(HOME, "role-changed")


def confirm_transfer(request: PageRequest, user_id: str) -> Render:
    """Ask for confirmation before the account is transferred to a member."""
    member = member_roles.member_of(request.account.id, user_id)
    page = f"{HOME}/{user_id}"
    return confirm.ask(
        confirm.Question(
            heading=f"Transfer {request.account.name} to {member.user.name}?",
            consequence="They become an owner and you an admin. Only an owner can make you an owner again.",
            about=member.user.email,
            action=f"{page}/transfer",
            button="Transfer",
            back=page,
            back_label=member.user.name,
        )
    )


def transfer(request: PageRequest, user_id: str) -> Redirect:
    """Make a member an owner, and the present owner an admin."""
    member_roles.transfer_ownership(request.membership.manager, user_id)
    return Redirect(HOME, "transferred")


def remove(request: PageRequest, user_id: str) -> Redirect:
    """Remove a member, or leave the account."""
    manager = request.membership.manager
    ending = member_removal.remove(manager, user_id, request.check("keys", KEYS))
    finish.run_first_batch(ending)
    if user_id == manager.user_id:
        return Redirect("/settings/accounts", "left")
    return Redirect(HOME, "member-removed")


def _after(request: PageRequest, name: str, prefix: str) -> str:
    """Return the id in the query after which a page of a list starts, or "" for the first page."""
    after = request.query.get(name, "")
    return after if ids.is_id(after, prefix) else ""


def _roles_to_give(own: members.Membership) -> list[str]:
    return [role for role in roles.ALL if role != roles.OWNER or own.role == roles.OWNER]
