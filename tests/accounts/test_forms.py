"""One-time form tokens are consumed by the write that a form causes."""

import pytest

from chalicelib.accounts import forms
from chalicelib.accounts.tables import OneTimeToken
from chalicelib.core import clock, errors
from chalicelib.core.dynamodb import models
from tests.support.harness import TestApp


def submit(token: str, account_id: str = "acc_a") -> None:
    """Submit a form whose only effect is to consume its token."""
    spent = forms.consume(token, account_id)
    with models.raise_on_condition_failure(forms.already_submitted("key")), models.transaction() as write:
        forms.add_to(write, spent)


def test_form_is_submitted_once(latchkey: TestApp) -> None:
    """A second submission of a form is a conflict, whose message says where to find the result of the first."""
    submit("token 1")
    with pytest.raises(errors.Conflict, match="This form was already submitted"):
        submit("token 1")
    assert OneTimeToken.count() == 1


def test_form_tokens_are_per_account(latchkey: TestApp) -> None:
    """An account can't consume the form token of another account."""
    for token, account_id in (("token 1", "acc_a"), ("token 1", "acc_b"), ("other", "acc_a")):
        submit(token, account_id)
    assert OneTimeToken.count() == 3


def test_form_token_is_kept_for_30_days_as_a_digest(latchkey: TestApp) -> None:
    """A form token is stored as a digest for 30 days, so that reloading its page in that time repeats nothing."""
    submit("token 1")
    (stored,) = OneTimeToken.scan()
    now_ms = clock.now_ms()
    assert [stored.kind, stored.account_id, stored.purpose] == ["form", "acc_a", None]
    assert (stored.expires_at, stored.consumed_at) == (now_ms, now_ms)
    assert stored.dies_at == now_ms // 1000 + 30 * 86_400
    assert "token 1" not in stored.digest
