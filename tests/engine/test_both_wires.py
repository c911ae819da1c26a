"""`lean` and botocore are one to everything above them: the feature suite, run over both."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.core import errors, settings, wire
from tests import twin
from tests.house import House

TESTS = Path(__file__).parents[1]
FEATURES = ("accounts", "credentials", "limits", "oauth", "api", "contract")


@pytest.mark.xdist_group("both wires")
def test_every_call_of_the_feature_suite_is_written_and_read_alike() -> None:
    """Each call that a feature makes, and each answer and error that it gets."""
    command = [sys.executable, "-m", "pytest", *(str(TESTS / name) for name in FEATURES), "-q", "-x"]
    environment = os.environ | {twin.VARIABLE: "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(command, env=environment, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]


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
