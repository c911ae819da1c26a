"""/v1/members: the members of the caller's account, their roles, and their removal."""

from typing import Any

from chalice.app import Response

from chalicelib.accounts import find, member_roles, members
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.members import Membership
from chalicelib.api import pagination, responses
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, Query, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, Id
from chalicelib.api.schema.shapes import DateTime, Shape, String
from chalicelib.api.users import ROLE
from chalicelib.core import clock, errors
from chalicelib.termination import finish, member_removal

MEMBER_ID = {"member_id": Id("mem", description="The member's id.")}
MEMBER = Shape(
    "Member",
    "A member of the account.",
    {
        "id": Id("mem", description="The member's id."),
        "user_id": Id("usr", description="The user's id."),
        "email": String("The user's email address.", "ada@example.com"),
        "name": String("The user's name.", "Ada Lovelace"),
        "role": ROLE,
        "since": DateTime("When the user became a member."),
    },
)


class MembersQuery(pagination.PageQuery, ids="mem"):
    """The parameters of a list of members."""


class RoleChange(Body):
    """The new role of a member."""

    role: str = required(ROLE)


class Removal(Query):
    """What happens to the keys of a removed member."""

    keys: str = optional(
        Enum(
            member_removal.CHOICES,
            description="What happens to the member's keys: they are revoked, or moved to the account.",
            default=member_removal.REVOKE,
        )
    )


@described({200: pagination.page_of(MEMBER, "the account's members")})
def list_members(context: RequestContext, query: MembersQuery) -> Response:
    """List the members of the account."""
    page, account = pagination.page(context, query), find.account_by_id(context.principal.account_id)
    after = _user_id(page.after) if page.after else ""
    found, next_after = members.read_page(account, page.size, after=after)
    return pagination.respond(context, page, found, record, goes_on=next_after and members.id_of(next_after))


@described({200: MEMBER}, path=MEMBER_ID)
def show_member(context: RequestContext, member_id: str) -> dict[str, Any]:
    """Show one member of the account."""
    return record(member_roles.member_of(context.principal.account_id, _user_id(member_id)))


@described({200: MEMBER}, errors=[errors.Conflict], path=MEMBER_ID)
def change_member(context: RequestContext, member_id: str, body: RoleChange) -> dict[str, Any]:
    """Set the role of a member. The caller's own role must include the rights of both roles: only owners change owners.

    The last owner of an account can't get another role.
    """
    return record(member_roles.change_role(manager_of(context), _user_id(member_id), body.role))


@described({204: ResponseSpec(description="The member is removed.")}, errors=[errors.Conflict], path=MEMBER_ID)
def remove_member(context: RequestContext, member_id: str, query: Removal) -> Response:
    """Remove a member, or leave the account. The member's tokens and sessions can't use the account any more.

    The member's keys are revoked. With `keys=move` they belong to the account from then on and keep their rights,
    except the scopes `admin` and `verify`. The last owner of an account can't be removed.
    """
    finish.run_first_batch(member_removal.remove(manager_of(context), _user_id(member_id), query.keys))
    return responses.no_content()


def manager_of(context: RequestContext) -> Manager:
    """Return the caller as a manager of the account's members."""
    principal = context.principal
    return Manager(
        principal.account_id, principal.user_id, principal.role, principal.verified_at_ms, principal.credential_id
    )


def record(membership: Membership) -> dict[str, Any]:
    """Return a member as JSON."""
    user = membership.user
    return {
        "id": membership.id,
        "user_id": user.id,
        "email": user.email,
        "name": user.name,
        "role": membership.role,
        "since": clock.iso(membership.member.since),
    }


def _user_id(member_id: str) -> str:
    return f"usr_{member_id.partition('_')[2]}"
