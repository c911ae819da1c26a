"""The roles of members in an account, and the account's service user."""

OWNER, ADMIN, DEVELOPER, VIEWER = "owner", "admin", "developer", "viewer"
ALL = (OWNER, ADMIN, DEVELOPER, VIEWER)
"""All roles, the one with the most rights first."""


def has_rights_of(role: str, least: str) -> bool:
    """Return whether `role` includes the rights of the role `least`. An unknown role includes none."""
    return role in ALL and ALL.index(role) <= ALL.index(least)


def service_user_of(account_id: str) -> str:
    """Return the id of the account's service user.

    Credentials that belong to no member act as this user. It isn't stored, and nobody can log in as it.
    """
    return f"usr_{account_id.partition('_')[2]}"


def is_service_user(user_id: str, account_id: str) -> bool:
    """Return whether `user_id` is the service user of this account."""
    return user_id == service_user_of(account_id)
