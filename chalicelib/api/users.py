"""/v1/users: public profiles, the caller's own account, and changes by admins."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib.accounts import change, find, invite, states
from chalicelib.accounts.tables import Account
from chalicelib.api import client_address, pagination, responses
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, Id, Text
from chalicelib.api.schema.shapes import AnyOf, DateTime, Shape, String
from chalicelib.core import clock, errors
from chalicelib.credentials.scopes import ADMIN
from chalicelib.limits import tiers

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account

NAME = Text(max_length=100, description="The user's name.", example="Ada Lovelace")
EMAIL = Text(max_length=254, description="The email address, like name@example.com.", example="ada@example.com")
TIER = Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), description="The tier, which sets the limits.")
STATUS = Enum((states.ACTIVE, states.SUSPENDED), description="Keys and tokens of a suspended account are rejected.")

USER_ID = {"user_id": Id("acc", description="The account's id.")}
PROFILE = Shape(
    "Profile",
    "The public part of an account.",
    {
        "id": Id("acc", description="The account's id."),
        "name": String("The user's name.", "Ada Lovelace"),
        "created_at": DateTime("When the account was created."),
    },
)
USER = Shape(
    "User",
    "An account, as its user and admins see it.",
    {
        **PROFILE.fields,
        "email": String("The email address.", "ada@example.com"),
        "tier": TIER,
        "status": STATUS,
    },
)
USER_MADE = Shape(
    "UserMade",
    "A new account, and a link to set its password.",
    {
        **USER.fields,
        "set_password_url": String("One-time link to set a password; it expires in one hour.", format="uri"),
    },
)


class UsersQuery(pagination.PageQuery, ids="acc"):
    """The parameters of a list of users."""


class Rename(Body):
    """The new name of the caller's account."""

    name: str = required(NAME)


class NewUser(Body):
    """The fields of a new account."""

    email: str = required(EMAIL)
    name: str = required(NAME)
    tier: str = optional(replace(TIER, default=tiers.FREE.name))


class UserChange(Body, least=1):
    """The fields of an account that an admin can change."""

    tier: str | None = optional(TIER)
    status: str | None = optional(STATUS)


@described({200: pagination.page_of(PROFILE, "public profiles, oldest first")})
def list_users(context: RequestContext, query: UsersQuery) -> Response:
    """List public profiles, oldest first."""
    page = pagination.page(context, query)
    found = list(find.accounts_after(page.after, page.size + 1))
    return pagination.respond(context, page, found, public_profile)


@described({200: USER}, errors=[errors.NotFound])
def show_me(context: RequestContext) -> dict[str, Any]:
    """Show the caller's own account."""
    return whole_record(find.account_by_id(context.principal.account_id))


@described({200: USER}, errors=[errors.NotFound])
def rename_me(context: RequestContext, body: Rename) -> dict[str, Any]:
    """Change the caller's own name."""
    return whole_record(change.rename(context.principal.account_id, body.name))


@described({200: ResponseSpec(AnyOf((USER, PROFILE)), "The profile, or the whole account.")}, path=USER_ID)
def show_user(context: RequestContext, user_id: str) -> dict[str, Any]:
    """Show a public profile. For the caller's own account, and for admins, show every field."""
    account = find.account_by_id(user_id)
    may_see_all = account.id == context.principal.account_id or ADMIN in context.principal.scopes
    return whole_record(account) if may_see_all else public_profile(account)


@described(
    {201: ResponseSpec(USER_MADE, "The account is created.", ("Location", "Cache-Control"))}, errors=[errors.Conflict]
)
def create_user(context: RequestContext, body: NewUser) -> Response:
    """Create an account. The response contains a one-time link to set its password."""

    def render(invited: invite.Invited) -> Response:
        base_url = client_address.base_url(context.request)
        link = {"set_password_url": f"{base_url}/password?ticket={invited.link}"}
        return responses.created(whole_record(invited.account) | link, f"{base_url}/v1/users/{invited.account.id}")

    tier, once = tiers.BY_NAME[body.tier], context.recorded(render)
    return render(invite.invite(email=body.email, name=body.name, tier=tier, once=once))


@described({200: USER}, errors=[errors.Conflict], path=USER_ID)
def change_user(context: RequestContext, user_id: str, body: UserChange) -> dict[str, Any]:
    """Set an account's tier, suspend it or reinstate it. Admins can't suspend their own account."""
    account = find.account_by_id(user_id)
    tier = tiers.BY_NAME[body.tier] if body.tier else None
    change.set_tier_and_status(account.id, tier=tier, status=body.status, actor=context.principal.credential_id)
    return whole_record(find.account_by_id(account.id))


def public_profile(account: "Account") -> dict[str, Any]:
    """Return the public part of an account."""
    return {"id": account.id, "name": account.name, "created_at": clock.iso(account.created_at)}


def whole_record(account: "Account") -> dict[str, Any]:
    """Return an account as JSON with every field. Only the account itself and admins may see it."""
    return {
        **public_profile(account),
        "email": account.email,
        "tier": account.tier,
        "status": account.status,
    }
