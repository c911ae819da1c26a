"""The setting that brings botocore back. `tests/twin.py` compares it with `lean` over the whole feature suite."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.core import errors, settings, wire
from tests.house import House


def test_setting_returns_to_botocore(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, limits and refused conditions are the same; the calls go by its client."""
    sent: list[str] = []
    send: Callable[..., dict[str, Any]] = BaseClient._make_api_call

    def make_api_call(client: Any, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        sent.append(operation)
        return send(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", make_api_call)
    wire.forget_connection()
    with settings.in_use(replace(settings.current(), wire="botocore")):
        account = home.account()
        assert home.call("GET", "/v1/users/me", home.key(account).secret).status == 200
        with pytest.raises(errors.Conflict):
            home.account(email=account.email)
    assert {"TransactWriteItems", "GetItem", "UpdateItem"} <= set(sent)
