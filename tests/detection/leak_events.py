"""Leak events of an account, and secrets that were never issued."""

from typing import Any

from chalicelib.accounts.tables import Account
from chalicelib.core import secrets
from chalicelib.events import kinds, record
from tests.support.harness import AccountOfTest


def leak_events(account: Account | AccountOfTest) -> list[dict[str, Any]]:
    """Return the leak events of an account, newest first."""
    return [record.render(event) for event in record.newest_first(account.id, 50, kind=kinds.KEY_LEAKED)]


def mint_unknown() -> str:
    """Return a well-formed secret that was never issued."""
    return secrets.mint("test")
