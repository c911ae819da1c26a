"""One-time form tokens, consumed by the creation that the form requests."""

import pytest

from chalicelib.accounts import forms
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from tests.support.harness import TestApp


def submit(ticket: str, account_id: str = "acc_a") -> None:
    """Submit a form, without creating anything else."""
    spent = forms.spent(ticket, account_id)
    with models.refused_as(forms.used_already("key")), models.transaction() as write:
        forms.add_to(write, spent)


def test_form_is_submitted_once(latchkey: TestApp) -> None:
    """A second submission is a conflict; the message says where to find what the first one created."""
    submit("ticket")
    with pytest.raises(errors.Conflict, match="This form was already submitted"):
        submit("ticket")
    assert OneTimeToken.count() == 1


def test_form_tokens_are_per_account(latchkey: TestApp) -> None:
    """An account can't consume another one's form token."""
    for ticket, account_id in (("ticket", "acc_a"), ("ticket", "acc_b"), ("other", "acc_a")):
        submit(ticket, account_id)
    assert OneTimeToken.count() == 3


def test_form_token_is_kept_for_30_days_as_a_digest(latchkey: TestApp) -> None:
    """A page that was open for a month can be reloaded safely."""
    submit("ticket")
    (stored,) = OneTimeToken.scan()
    now_ms = clock.now_ms()
    assert [stored.kind, stored.account_id, stored.purpose] == ["form", "acc_a", None]
    assert (stored.expires_at, stored.consumed_at) == (now_ms, now_ms)
    assert stored.dies_at == now_ms // 1000 + 30 * 86_400
    assert "ticket" not in stored.digest
