"""/v1/invitations: invite people to the caller's account by email."""

from typing import Any

from chalice.app import Response

from chalicelib.accounts import email_sender, find, invitations
from chalicelib.accounts.tables import Invitation
from chalicelib.api import client_address, pagination, responses
from chalicelib.api.accounts import EMAIL
from chalicelib.api.members import manager_of
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Id
from chalicelib.api.schema.shapes import DateTime, Nullable, Shape, String
from chalicelib.api.users import ROLE
from chalicelib.core import clock, errors

INVITATION_ID = {"invitation_id": Id("inv", description="The invitation's id.")}
INVITATION = Shape(
    "Invitation",
    "An invitation to the account that isn't accepted yet.",
    {
        "id": Id("inv", description="The invitation's id."),
        "email": String("The invited email address.", "grace@example.com"),
        "role": ROLE,
        "invited_by": Id("usr", description="The user who invited the address."),
        "created_at": DateTime("When the address was invited."),
        "expires_at": DateTime("When the invitation expires."),
    },
)
INVITATION_MADE = Shape(
    "InvitationMade",
    "A new invitation.",
    {
        **INVITATION.fields,
        "accept_url": Nullable(
            String(format="uri"),
            "The one-time link to accept it, if this service sends no email; null if the link was emailed.",
        ),
    },
)


class InvitationsQuery(pagination.PageQuery, ids="inv"):
    """The parameters of a list of invitations."""


class NewInvitation(Body):
    """The address to invite, and the role that its owner will have."""

    email: str = required(EMAIL)
    role: str = required(ROLE)


@described({200: pagination.page_of(INVITATION, "the account's open invitations")})
def list_invitations(context: RequestContext, query: InvitationsQuery) -> Response:
    """List the invitations that are neither accepted nor withdrawn nor expired."""
    page, account = pagination.page(context, query), find.account_by_id(context.principal.account_id)
    found, next_after = invitations.read_page(account, page.size, after=page.after)
    return pagination.respond(context, page, found, record, goes_on=next_after)


@described(
    {201: ResponseSpec(INVITATION_MADE, "The address is invited.", ("Location", "Cache-Control"))},
    errors=[errors.Conflict, errors.RateLimited],
)
def create_invitation(context: RequestContext, body: NewInvitation) -> Response:
    """Invite an email address to the account, with a role that the caller may give.

    The address gets a link that works for seven days. Inviting an address again replaces its earlier invitation.
    """
    base_url = client_address.base_url(context.request)
    networks = client_address.networks(client_address.source_ip(context.request))
    invited = invitations.invite(
        manager_of(context), email=body.email, role=body.role, networks=networks, base_url=base_url
    )
    url = None if email_sender.is_configured() else f"{base_url}/invitation?ticket={invited.link}"
    location = f"{base_url}/v1/invitations/{invited.invitation.id}"
    return responses.created(record(invited.invitation) | {"accept_url": url}, location)


@described({200: INVITATION}, path=INVITATION_ID)
def show_invitation(context: RequestContext, invitation_id: str) -> dict[str, Any]:
    """Show one invitation."""
    return record(invitations.get(context.principal.account_id, invitation_id))


@described({204: ResponseSpec(description="The invitation is withdrawn.")}, path=INVITATION_ID)
def withdraw_invitation(context: RequestContext, invitation_id: str) -> Response:
    """Withdraw an invitation. Its link stops working."""
    invitations.withdraw(manager_of(context), invitation_id)
    return responses.no_content()


def record(invitation: Invitation) -> dict[str, Any]:
    """Return an invitation as JSON, without its link."""
    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "created_at": clock.iso(invitation.created_at),
        "expires_at": clock.iso(invitation.expires_at),
    }
