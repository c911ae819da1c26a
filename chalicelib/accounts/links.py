"""One-time links sent to a person: who holds one may set a password, once, within the hour."""

from chalicelib.accounts.tables import Ticket
from chalicelib.core import clock, secrets

LIVES_S = 3_600
SET_PASSWORD = "set_password"  # noqa: S105 - a purpose, no password


def new_link(account_id: str, purpose: str) -> str:
    """Store a ticket for `purpose` and return its secret, which belongs into one URL and nowhere else."""
    secret = secrets.mint(secrets.MAIL_LINK_KIND)
    expires_at = clock.now_ms() + LIVES_S * 1000
    ticket = Ticket(
        digest=secrets.digest(secret),
        kind=secrets.MAIL_LINK_KIND,
        account_id=account_id,
        purpose=purpose,
        expires_at=expires_at,
        dies_at=expires_at // 1000 + LIVES_S,
    )
    ticket.save(condition=Ticket.digest.does_not_exist())
    return secret
