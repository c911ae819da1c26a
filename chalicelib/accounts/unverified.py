"""A user with an unverified email address can't create keys, webhooks, applications, consents or invitations."""

from chalicelib.accounts import email_sender, find, roles
from chalicelib.accounts.managers import Manager
from chalicelib.accounts.tables import User
from chalicelib.core import errors


def must_verify_email(user: User) -> bool:
    """Return whether a user must verify their address before they can create keys or otherwise give access.

    If email isn't configured, no address can be verified, so the result is False for every user.
    """
    return email_sender.is_configured() and user.email_verified_at is None


def require_verified_email(user: User) -> None:
    """Raise Conflict if a user must verify their address first."""
    if must_verify_email(user):
        raise email_not_verified()


def require_verified(manager: Manager) -> None:
    """Raise Conflict if a manager must verify their address first. The service user has none."""
    if not roles.is_service_user(manager.user_id, manager.account_id):
        require_verified_email(find.user_by_id(manager.user_id))


def email_not_verified() -> errors.Conflict:
    """Return the error for a user who must verify their address first."""
    return errors.Conflict("Confirm your email address first. Request a link in Settings > Profile.")
