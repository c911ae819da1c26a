"""/v1/accounts: the caller's own account, and for admins every account: create, show, set tier and status."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib.accounts import change, find, invite
from chalicelib.api import client_address, responses
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Id, Text
from chalicelib.api.schema.shapes import DateTime, Shape, String
from chalicelib.api.users import NAME, STATUS, TIER
from chalicelib.core import clock, errors
from chalicelib.credentials.scopes import ADMIN
from chalicelib.limits import tiers

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account

EMAIL = Text(max_length=254, description="The email address, like name@example.com.", example="ada@example.com")

ACCOUNT_ID = {"account_id": Id("acc", description="The account's id.")}
ACCOUNT = Shape(
    "Account",
    "An account.",
    {
        "id": Id("acc", description="The account's id."),
        "name": String("The account's name.", "Analytical Engines Ltd"),
        "created_at": DateTime("When the account was created."),
        "tier": TIER,
        "status": STATUS,
    },
)
ACCOUNT_MADE = Shape(
    "AccountMade",
    "A new account, its owner, and a link to set the owner's password.",
    {
        **ACCOUNT.fields,
        "owner_id": Id("usr", description="The id of the user who owns the account."),
        "set_password_url": String("One-time link to set a password; it expires in one hour.", format="uri"),
    },
)


class NewAccount(Body):
    """The fields of a new account."""

    email: str = required(EMAIL)
    name: str = required(NAME)
    tier: str = optional(replace(TIER, default=tiers.FREE.name))


class AccountChange(Body, least=1):
    """The fields of an account that an admin can change."""

    tier: str | None = optional(TIER)
    status: str | None = optional(STATUS)


@described({200: ACCOUNT}, errors=[errors.NotFound], path=ACCOUNT_ID)
def show_account(context: RequestContext, account_id: str) -> dict[str, Any]:
    """Show the caller's own account. Admins can show every account."""
    principal = context.principal
    if account_id != principal.account_id and ADMIN not in principal.scopes:
        raise errors.NotFound("There is no such account.")
    return record(find.account_by_id(account_id))


@described(
    {201: ResponseSpec(ACCOUNT_MADE, "The account is created.", ("Location", "Cache-Control"))},
    errors=[errors.Conflict],
)
def create_account(context: RequestContext, body: NewAccount) -> Response:
    """Create an account and the user who owns it. The response contains a one-time link to set the user's password."""

    def render(invited: invite.Invited) -> Response:
        base_url, new = client_address.base_url(context.request), invited.membership
        link = {"owner_id": new.user.id, "set_password_url": f"{base_url}/password?ticket={invited.link}"}
        return responses.created(record(new.account) | link, f"{base_url}/v1/accounts/{new.account.id}")

    tier, once = tiers.BY_NAME[body.tier], context.recorded(render)
    return render(invite.invite(email=body.email, name=body.name, tier=tier, once=once))


@described({200: ACCOUNT}, errors=[errors.Conflict], path=ACCOUNT_ID)
def change_account(context: RequestContext, account_id: str, body: AccountChange) -> dict[str, Any]:
    """Set an account's tier, suspend it or reinstate it. Admins can't suspend their own account."""
    account = find.account_by_id(account_id)
    tier = tiers.BY_NAME[body.tier] if body.tier else None
    change.set_tier_and_status(account.id, tier=tier, status=body.status, actor=context.principal.credential_id)
    return record(find.account_by_id(account.id))


def record(account: "Account") -> dict[str, Any]:
    """Return an account as JSON."""
    return {
        "id": account.id,
        "name": account.name,
        "created_at": clock.iso(account.created_at),
        "tier": account.tier,
        "status": account.status,
    }
