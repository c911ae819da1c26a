"""The verdict travels through the gateway as flat strings and comes back as it was."""

from chalicelib.credentials.verdict import from_context, to_context
from chalicelib.credentials.verify import verify
from chalicelib.limits.tiers import ENTERPRISE
from tests.house import House


def test_verdict_survives_the_authorizer_context(home: House) -> None:
    """API Gateway carries strings only; nothing is lost by it."""
    verdict = verify(home.key(home.account(ENTERPRISE, admin=True), "read", "admin", expires_in_s=60).secret)
    context = to_context(verdict)
    assert all(isinstance(value, str) for value in context.values())
    assert from_context(context) == verdict


def test_context_holds_no_secret(home: House) -> None:
    """What the gateway logs and caches is ids."""
    issued = home.key(home.account())
    assert issued.secret not in repr(to_context(verify(issued.secret)))
