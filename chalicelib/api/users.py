"""/v1/users: the users of the caller's account, and the caller's own user."""

from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib.accounts import change, find, members, roles, states
from chalicelib.accounts.tables import Account, User
from chalicelib.api import pagination
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, Id, Text
from chalicelib.api.schema.shapes import AnyOf, DateTime, Nullable, Shape, String
from chalicelib.core import clock, errors
from chalicelib.credentials.scopes import ADMIN
from chalicelib.limits import tiers

if TYPE_CHECKING:
    from chalicelib.accounts.members import Membership

NAME = Text(max_length=100, description="The user's name.", example="Ada Lovelace")
TIER = Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), description="The tier, which sets the limits.")
STATUS = Enum((states.ACTIVE, states.SUSPENDED), description="Keys and tokens of a suspended account are rejected.")
ROLE = Enum(roles.ALL, description="The user's role in the account.")

USER_ID = {"user_id": Id("usr", description="The user's id.")}
PROFILE = Shape(
    "Profile",
    "The public part of a user.",
    {
        "id": Id("usr", description="The user's id."),
        "name": String("The user's name.", "Ada Lovelace"),
        "created_at": DateTime("When the user was created."),
    },
)
USER = Shape(
    "User",
    "A user, as the user and admins see it.",
    {
        **PROFILE.fields,
        "email": Nullable(String("", "ada@example.com"), "The email address; null for the account's service user."),
        "account": Nullable(
            Id("acc"), "The account of the credential; for admins an account of the user, null if there is none."
        ),
        "role": Nullable(ROLE, "The user's role in this account."),
        "tier": Nullable(TIER, "The account's tier."),
        "status": Nullable(STATUS, "The account's status."),
    },
)


NO_SUCH_USER = "There is no such user."


class UsersQuery(pagination.PageQuery, ids="usr"):
    """The parameters of a list of users."""


class Rename(Body):
    """The new name of the caller."""

    name: str = required(NAME)


@described({200: pagination.page_of(PROFILE, "public profiles, oldest first")})
def list_users(context: RequestContext, query: UsersQuery) -> Response:
    """List the users of the caller's account, oldest first. Admins get the users of all accounts."""
    page = pagination.page(context, query)
    if ADMIN in context.principal.scopes:
        found = list(find.users_after(page.after, page.size + 1))
        return pagination.respond(context, page, found, public_profile)
    account = find.account_by_id(context.principal.account_id)
    of_account, next_after = members.read_page(account, page.size, after=page.after)
    return pagination.respond(context, page, [each.user for each in of_account], public_profile, goes_on=next_after)


@described({200: USER}, errors=[errors.NotFound])
def show_me(context: RequestContext) -> dict[str, Any]:
    """Show the user of the caller's credential, with the account and the user's role in it.

    A credential that belongs to no member, such as a client's own access token, acts as the account's service user.
    """
    return _own_record(context)


@described({200: USER}, errors=[errors.NotFound, errors.Conflict])
def rename_me(context: RequestContext, body: Rename) -> dict[str, Any]:
    """Change the caller's own name. The account's service user can't be renamed."""
    principal = context.principal
    if roles.is_service_user(principal.user_id, principal.account_id):
        raise errors.Conflict("This credential belongs to no member of the account, so it has no name to change.")
    change.rename_user(principal.user_id, body.name)
    return _own_record(context)


@described({200: ResponseSpec(AnyOf((USER, PROFILE)), "The profile, or the whole user.")}, path=USER_ID)
def show_user(context: RequestContext, user_id: str) -> dict[str, Any]:
    """Show the public profile of a user of the caller's account. For the caller and for admins, show every field."""
    principal = context.principal
    if user_id == principal.user_id:
        return _own_record(context)
    if ADMIN in principal.scopes:
        return _record_of_first_account(find.user_by_id(user_id))
    return public_profile(members.read(principal.account_id, user_id, not_found=NO_SUCH_USER).user)


def public_profile(user: "User") -> dict[str, Any]:
    """Return the public part of a user."""
    return {"id": user.id, "name": user.name, "created_at": clock.iso(user.created_at)}


def whole_record(membership: "Membership") -> dict[str, Any]:
    """Return a user of an account as JSON with every field. Only the user and admins may see it."""
    user = membership.user
    return public_profile(user) | {"email": user.email} | _in_account(membership.account, membership.role)


def _own_record(context: RequestContext) -> dict[str, Any]:
    principal = context.principal
    if roles.is_service_user(principal.user_id, principal.account_id):
        account = find.account_by_id(principal.account_id)
        service = {"id": principal.user_id, "name": account.name, "created_at": clock.iso(account.created_at)}
        return service | {"email": None} | _in_account(account, principal.role)
    return whole_record(members.read(principal.account_id, principal.user_id, not_found=NO_SUCH_USER))


def _record_of_first_account(user: "User") -> dict[str, Any]:
    found = members.all_of(user)
    if found:
        return whole_record(found[0])
    none = dict.fromkeys(("account", "role", "tier", "status"))
    return public_profile(user) | {"email": user.email} | none


def _in_account(account: "Account", role: str) -> dict[str, Any]:
    return {"account": account.id, "role": role, "tier": account.tier, "status": account.status}
