"""Create a user with their first account, or a further account of a user, in one transaction.

Of two concurrent requests for the same address, exactly one succeeds.
"""

from collections.abc import Callable

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import members, quota_inheritance, roles
from chalicelib.accounts.email_address import parse
from chalicelib.accounts.members import Membership
from chalicelib.accounts.tables import Account, EmailClaim, User
from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.limits.tiers import Tier

LISTED = "listed"
TRIES = 3


def create_account(
    *,
    email: str,
    name: str,
    tier: Tier,
    admin: bool = False,
    password_hash: str | None = None,
    verified_at_ms: int | None = None,
    beside: Callable[[models.Transaction, Membership], None] | None = None,
) -> Membership:
    """Create and store a user and their account, and return the user's membership.

    `verified_at_ms` is the time at which the email address was verified, or None. `beside` is a function that adds
    further writes to the transaction. Raises InvalidRequest if `email` is invalid, and Conflict if a user with this
    address exists or a condition of the further writes fails.
    """
    new = new_membership(new_user(email=email, name=name, admin=admin, password_hash=password_hash), name, tier)
    new.user.email_verified_at = verified_at_ms
    with models.raise_on_condition_failure(errors.Conflict("A user with this email exists.")):
        store(new, None if beside is None else lambda write: beside(write, new))
    return new


def new_user(*, email: str, name: str, admin: bool = False, password_hash: str | None = None) -> User:
    """Return a new user who isn't stored yet; raise InvalidRequest for an invalid `email`."""
    address = parse(email)
    return User(
        id=ids.new("usr"),
        email=address.claim,
        typed_email=None if address.mailbox == address.claim else address.mailbox,
        name=name,
        admin=admin,
        created_at=clock.now_ms(),
        password_hash=password_hash,
        listed=LISTED,
    )


def new_membership(user: User, name: str, tier: Tier) -> Membership:
    """Return a new account that `user` owns, with the membership; neither is stored yet."""
    account = Account(
        id=ids.new("acc"),
        name=name,
        tier=tier.name,
        created_at=clock.now_ms(),
        created_by=user.id,
        listed=LISTED,
    )
    return Membership(account, user, members.new(account.id, user.id, roles.OWNER))


def store(new: Membership, add_more: Callable[[models.Transaction], None] | None = None) -> None:
    """Store a new user, their email claim, their account, their membership, and the writes that `add_more` adds, in one
    transaction.

    Raises Conflict if a user with this address exists, and TransactWriteError if a condition of the added writes fails.
    Raises Unavailable if another account of this address was deleted during every try.
    """
    new.user.account_ids = {new.account.id}
    claim = EmailClaim(new.user.email, user_id=new.user.id)

    def add_to(write: models.Transaction) -> None:
        write.save(claim, condition=EmailClaim.email.does_not_exist())
        write.save(new.user, condition=User.id.does_not_exist())
        write.save(new.member)
        record.add_to(write, new.user.id, kinds.USER_CREATED, {})
        if add_more is not None:
            add_more(write)

    try:
        _store_account(new, add_to)
    except TransactWriteError as error:
        if models.find_failed_write(error, claim) is not None:
            raise errors.Conflict("A user with this email exists.") from error
        raise


def create_further_account(user: User, *, name: str, tier: Tier) -> Membership:
    """Create and store one more account, which `user` owns.

    Raises Conflict if the user belongs to the maximum number of accounts, and Unavailable as `store` does.
    """
    new = new_membership(user, name, tier)
    with models.raise_on_condition_failure(members.too_many(user)):
        _store_account(new, lambda write: members.add_to(write, new.member, user))
    return new


def _store_account(new: Membership, add_more: Callable[[models.Transaction], None]) -> None:
    for _ in range(TRIES):
        predecessor = quota_inheritance.inherit(new)
        try:
            with models.transaction() as write:
                write.save(new.account, condition=Account.id.does_not_exist())
                predecessor.add_to(write)
                record.add_to(write, new.account.id, kinds.ACCOUNT_CREATED, {"tier": new.account.tier})
                add_more(write)
        except TransactWriteError as error:
            # Either a condition of `add_more` failed, or DynamoDB itself failed.
            if models.find_failed_write(error, predecessor.item) is None:
                raise
            # Another account of this address was deleted after `inherit` read the predecessor, so try again.
        else:
            return
    raise errors.Unavailable
