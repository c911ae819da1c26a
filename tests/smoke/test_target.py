"""The target of a smoke run, which the variables of `make smoke` choose."""

import pytest

from infra import engine
from infra.smoke import command, target
from tests.support.webhook_receiver import run_receiver


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"STAGE": "prd"}, "There is no stage 'prd'. Choose one: make smoke STAGE=dev|prod"),
        ({"URL": "api.example.com"}, "URL takes the address of the API"),
        ({"URL": "http://127.0.0.1:9", "ADMIN_KEY": "Bearer lk_live_1"}, "ADMIN_KEY takes the key alone"),
        ({"URL": "http://127.0.0.1:9", "ADMIN_KEY": "lk_live_1\nlk_live_2"}, "ADMIN_KEY takes the key alone"),
        ({}, "No local run was found. Start one with `make run`"),
        ({"STAGE": "local", "URL": "  "}, "No local run was found. Start one with `make run`"),
    ],
)
def test_invalid_target_is_reported_in_one_sentence(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid target prints one sentence that says which value is needed, without the key."""
    monkeypatch.setattr(engine, "running", lambda: None)
    for name in ("STAGE", "URL", "ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert command.main() == 1
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert "lk_live_1" not in told


def test_unreachable_url_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """If the URL doesn't respond, one sentence says so, without the administrator's key."""
    monkeypatch.setenv("URL", f"http://127.0.0.1:{engine.free_port()}")
    monkeypatch.setenv("ADMIN_KEY", "lk_test_secret")
    assert command.main() == 1
    told = capsys.readouterr().err
    assert told.startswith("The target can't be reached: ")
    assert "lk_test_secret" not in told


@pytest.mark.parametrize(("status", "said"), [(404, "This isn't a Latchkey"), (503, "")])
def test_url_of_another_service_is_rejected(status: int, said: str) -> None:
    """A URL is rejected if /health returns 404, for example because the path lacks the API Gateway stage.

    A service that returns 503 is accepted.
    """
    with run_receiver() as other:
        other.statuses = [status]
        if said:
            with pytest.raises(target.NoTarget, match=rf"{said}: GET /health returned {status}"):
                target.select({"URL": other.url})
        else:
            assert target.select({"URL": other.url}).url == other.url


@pytest.mark.parametrize(
    ("given", "has_accounts", "is_deployed"),
    [
        (target.Target("https://a.example"), False, False),
        (target.Target("https://a.example", admin_key="k"), True, False),
        (target.Target("http://127.0.0.1:8000", "local"), True, False),
        (target.Target("https://a.example", "prod"), True, True),
    ],
)
def test_target_determines_which_checks_run(given: target.Target, has_accounts: bool, is_deployed: bool) -> None:
    """Checks that need an account run only with an admin key or access to the tables, and checks in AWS only for
    deployed stages. The repr omits the key.
    """
    assert (given.has_accounts, given.is_deployed) == (has_accounts, is_deployed)
    assert "admin_key" not in repr(given)
