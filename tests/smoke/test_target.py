"""What a run is pointed at, by what make was given."""

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
def test_target_that_is_none_is_told_in_one_sentence(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to give, and without a traceback; nothing was called."""
    monkeypatch.setattr(engine, "running", lambda: None)
    for name in ("STAGE", "URL", "ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert command.main() == 1
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert "lk_live_1" not in told


def test_address_that_does_not_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and the key of the administrator isn't in it."""
    monkeypatch.setenv("URL", f"http://127.0.0.1:{engine.free_port()}")
    monkeypatch.setenv("ADMIN_KEY", "lk_test_secret")
    assert command.main() == 1
    told = capsys.readouterr().err
    assert told.startswith("The target can't be reached: ")
    assert "lk_test_secret" not in told


@pytest.mark.parametrize(("status", "said"), [(404, "This isn't a Latchkey"), (503, "")])
def test_address_of_something_else_is_told_once(status: int, said: str) -> None:
    """Where /health isn't found, such as without the gateway's stage; a service that is down is checked anyway."""
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
def test_rights_follow_from_what_was_given(given: target.Target, has_accounts: bool, is_deployed: bool) -> None:
    """An address alone makes no account; AWS is asked about deployed stages only; the key shows in no repr."""
    assert (given.has_accounts, given.is_deployed) == (has_accounts, is_deployed)
    assert "admin_key" not in repr(given)
