"""Forms that make something once: the ticket that each carries is spent with what it makes."""

import pytest

from chalicelib.accounts import forms
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from tests.support.harness import TestApp


def used(ticket: str, account_id: str = "acc_a") -> None:
    """Use a form, which makes nothing else here."""
    spent = forms.spent(ticket, account_id)
    with models.refused_as(forms.used_already("key")), models.transaction() as write:
        forms.add_to(write, spent)


def test_form_is_used_once(latchkey: TestApp) -> None:
    """The second use is a conflict, which says where to look for what the first one made."""
    used("ticket")
    with pytest.raises(errors.Conflict, match="This form was already submitted"):
        used("ticket")
    assert OneTimeToken.count() == 1


def test_forms_of_two_accounts_or_with_two_tickets_are_two(latchkey: TestApp) -> None:
    """Nobody uses up somebody else's form by its ticket."""
    for ticket, account_id in (("ticket", "acc_a"), ("ticket", "acc_b"), ("other", "acc_a")):
        used(ticket, account_id)
    assert OneTimeToken.count() == 3


def test_used_form_is_remembered_for_30_days_without_its_ticket(latchkey: TestApp) -> None:
    """A page that was left open for a month is reloaded without harm; what is stored opens nothing."""
    used("ticket")
    (stored,) = OneTimeToken.scan()
    now_ms = clock.now_ms()
    assert [stored.kind, stored.account_id, stored.purpose] == ["form", "acc_a", None]
    assert (stored.expires_at, stored.consumed_at) == (now_ms, now_ms)
    assert stored.dies_at == now_ms // 1000 + 30 * 86_400
    assert "ticket" not in stored.digest
