"""Issue an API key. It never has a scope that its creator lacks, and never expires later than its creator."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pynamodb.exceptions import TransactWriteError

from chalicelib.accounts import forms, roles
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core import clock, errors, ids, secrets, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit, scopes
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording

KEPT_AFTER_EXPIRY_S = 30 * clock.DAY_S
"""How long a key is stored after it expired or was revoked. In this time, requests with an expired key get the error
`token_expired`.
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key and its secret, which is not stored."""

    key: Credential
    secret: str
    is_marked: bool = True
    """Whether the invalidation mark was set after a rotation. If not, the old key may work for 5 more minutes."""

    def __repr__(self) -> str:
        """Return a text without the secret, for logs and tracebacks."""
        return f"Issued({self.key.id})"


def issue_key(
    creator: Principal,
    *,
    name: str,
    wanted: list[str],
    expires_in_s: int | None,
    form: str | None = None,
    once: "Recording[Issued] | None" = None,
) -> Issued:
    """Create a key for the creator's account with the scopes `wanted`. It expires after `expires_in_s` seconds.

    If `expires_in_s` is None, it expires when its creator expires. `form` is the token of a submitted form. The
    transaction consumes it, so that submitting the form again creates no second key. `once` records the idempotent
    request. Raises InvalidRequest if the creator lacks a scope or the key would expire later than its creator. Raises
    Conflict if the account has the maximum number of active keys, its email address isn't verified, the creator's
    expiry has changed, or the form was submitted before.
    """
    for scope in wanted:
        if scope not in creator.scopes:
            raise errors.InvalidRequest(
                f"scopes may contain only scopes of your own credential; it doesn't have {scope}."
            )
    now_ms = clock.now_ms()
    expires_at = now_ms + expires_in_s * 1000 if expires_in_s is not None else creator.ends_at_ms or None
    if creator.ends_at_ms and expires_at is not None and expires_at > creator.ends_at_ms:
        left_s = (creator.ends_at_ms - now_ms) // 1000
        raise errors.InvalidRequest(
            f"expires_in_s may be at most {left_s}: a key can't outlive the credential that creates it."
        )
    issued = new_key(
        creator.account_id,
        creator.user_id,
        name=name,
        wanted=wanted,
        expires_at=expires_at,
        made_by=creator.credential_id,
    )
    issued.key.role = kept_role(creator)
    store_key(issued, None if form is None else forms.consume(form, creator.account_id), creator, once)
    return issued


def new_key(
    account_id: str,
    user_id: str,
    *,
    name: str,
    wanted: list[str] | set[str],
    expires_at: int | None,
    made_by: str | None,
) -> Issued:
    """Return a new key of a user in an account, which is not stored yet."""
    secret = secrets.mint(settings.current().key_kind)
    key = Credential(
        digest=secrets.digest(secret),
        id=ids.new("key"),
        account_id=account_id,
        user_id=user_id,
        kind="key",
        name=name,
        hint=secrets.preview(secret),
        scopes=set(scopes.in_order(wanted)),
        created_at=clock.now_ms(),
        made_by=made_by,
        expires_at=expires_at,
        dies_at=None if expires_at is None else expires_at // 1000 + KEPT_AFTER_EXPIRY_S,
    )
    return Issued(key, secret)


def store_key(
    issued: Issued,
    spent: OneTimeToken | None = None,
    creator: Principal | None = None,
    once: "Recording[Issued] | None" = None,
) -> None:
    """Store a key and add it to the account's active keys, in one transaction.

    `creator` is None for the operator. Raises Conflict if the account already has the maximum number of active keys,
    the creator may not create a key, or the form token `spent` was consumed before.
    """
    account = Account(issued.key.account_id)
    only_if = None if creator is None else key_limit.creator_is_unchanged(creator)
    expired: dict[str, int] = {}
    for _ in range(key_limit.ROUNDS_MAX):
        try:
            with models.transaction() as write:
                write.save(issued.key, condition=Credential.digest.does_not_exist())
                if spent is not None:
                    forms.add_to(write, spent)
                key_limit.add_key(write, account, issued.key, expired, only_if=only_if)
                key_limit.check_user(write, creator, must_be_verified=True)
                record.add_to(write, issued.key.account_id, kinds.KEY_CREATED, _event_details(issued.key))
                if once is not None:
                    once.add_to(write, issued)
        except TransactWriteError as error:
            if not models.is_condition_failure(error):
                raise
            if once is not None:
                once.explain(error)
            if spent is not None and models.find_failed_write(error, spent) is not None:
                raise forms.already_submitted("key") from None
            # Expired keys may still be listed as active; the next try removes them. If there are none, the transaction
            # failed because the list was changed concurrently.
            expired = key_limit.expired_after(error, account, creator)
        else:
            return
    raise errors.Unavailable("Too many keys are being created for this account right now. Try again in a moment.")


def kept_role(creator: Principal) -> str | None:
    """Return the role that a key keeps, because its creator is one of the service user's keys with such a role."""
    return creator.role if roles.is_service_user(creator.user_id, creator.account_id) else None


def _event_details(key: Credential) -> dict[str, str]:
    return {"key": key.id, "name": key.name, "scopes": scopes.join(key.scopes)}
