"""A run against a server as `make run` serves it, and behind a proxy that breaks the contract."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.accounts import change
from chalicelib.accounts.tables import Account as Stored
from chalicelib.core import settings
from infra.smoke import burst, contract, outcomes, revocation, throwaway
from infra.smoke.command import INTERRUPTED, OF_ACCOUNT, smoke
from tests.smoke import wrong
from tests.smoke.conftest import Served
from tests.support.webhook_receiver import run_receiver

pytestmark = pytest.mark.xdist_group("smoke")
FORBIDDEN = re.compile(r"lk_[a-z]+_[0-9A-Za-z]{36}|@example\.com|127\.0\.0\.1|acc_\w{8}")


@pytest.fixture(scope="module")
def account(served: Served) -> Iterator[throwaway.Account]:
    """An account that an administrator's key has made, for all wrong servers."""
    run = served.run(stage="", admin_key=served.admin_key)
    with settings.override(served.settings):
        with throwaway.account(run) as made:
            yield made
        assert [each.state for each in run.outcomes.found] == [outcomes.OK]


def test_whole_run_finds_nothing_and_leaves_nothing(served: Served, tmp_path: Path) -> None:
    """Against a server that keeps the contract every check holds; the account is deleted, the report is redacted."""
    with run_receiver() as receiver:
        run = served.run(receiver=receiver.url)
        assert smoke(run, tmp_path / "report.md") == 0, run.outcomes.of(outcomes.DIFFERS)
        assert {message.headers["webhook-id"][:4] for message in receiver.received} == {"evt_"}
    with settings.override(served.settings):
        left = [each for each in Stored.scan() if each.email.startswith("smoke.") and each.status != "deleted"]
    assert left == []
    report = (tmp_path / "report.md").read_text()
    assert "0 differs" in report
    assert FORBIDDEN.findall(report) == []
    left_out = [each.check for each in run.outcomes.of(outcomes.LEFT_OUT)]
    assert [check for check in left_out if "volley" not in check] == ["cold latency", "mail"]


def test_address_alone_is_checked_as_anybody_sees_it(served: Served, tmp_path: Path) -> None:
    """What takes an account is left out by name, and nothing differs."""
    run = served.run(stage="")
    assert smoke(run, tmp_path / "report.md") == 0
    assert {*OF_ACCOUNT} < {each.check for each in run.outcomes.of(outcomes.LEFT_OUT)}


def test_interrupted_run_cleans_up(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a check ends the account all the same, and the status says that it was interrupted."""

    def interrupted(_run: object, account: throwaway.Account) -> None:
        seen.append(account.id)
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setitem(OF_ACCOUNT, "credentials", interrupted)
    monkeypatch.setattr(contract, "check", lambda _run: None)
    run = served.run()
    assert smoke(run, tmp_path / "report.md") == INTERRUPTED
    with settings.override(served.settings):
        assert Stored.get(seen[0]).status == "deleted"
    assert [each.check for each in run.outcomes.of(outcomes.OK)] == [throwaway.CLEANUP]


def test_account_that_cannot_be_deleted_is_suspended_and_named(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its own form refuses, nothing of it works on, and the run says which it left behind: interrupted, too."""

    def interrupted(_run: object, account: throwaway.Account) -> None:
        made.append(account)
        account.password = "another password"
        raise KeyboardInterrupt

    made: list[throwaway.Account] = []
    monkeypatch.setitem(OF_ACCOUNT, "credentials", interrupted)
    monkeypatch.setattr(contract, "check", lambda _run: None)
    run = served.run()
    assert smoke(run, tmp_path / "report.md") == INTERRUPTED
    with settings.override(served.settings):
        assert Stored.get(made[0].id).status == "suspended"
    left = next(each.found for each in run.outcomes.of(outcomes.DIFFERS) if each.check == throwaway.CLEANUP)
    assert f"{made[0].email.partition('@')[0]} at example.com left behind, suspended" in left


def test_name_of_the_account_is_shown_whatever_its_digits(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redaction takes none of it for the number of an AWS account."""
    monkeypatch.setattr("infra.smoke.throwaway.secrets.token_hex", lambda size: ("abcd" + "7" * 12)[: 2 * size])
    run = served.run()
    with settings.override(served.settings), throwaway.account(run) as made:
        name = made.email.partition("@")[0]
    assert run.outcomes.redaction.of(name) == name


def test_account_that_can_be_neither_deleted_nor_suspended_is_named(served: Served) -> None:
    """The run says so in a line and continues."""
    run = served.run()
    with settings.override(served.settings), throwaway.account(run) as made:
        made.password, made.id = "another password", "acc_0000000000"
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert "left behind, not even suspended: NotFound" in differing.found
    with settings.override(served.settings):
        change.set_tier_and_status(run.account_id, tier=None, status="suspended", actor="operator")


def test_account_is_deleted_though_its_burst_is_spent(served: Served) -> None:
    """A 429 doesn't say whether the key still works: it is asked again when there is a burst again."""
    run = served.run()
    with settings.override(served.settings), throwaway.account(run) as made:
        assert burst.fire(run, made.key).admitted < burst.REQUESTS
    assert [(each.state, each.check) for each in run.outcomes.found] == [(outcomes.OK, throwaway.CLEANUP)]


def test_key_that_makes_no_account_leaves_out_what_takes_one(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says why, and each check that needs the account is left out by name."""
    monkeypatch.setattr(contract, "check", lambda _run: None)
    run = served.run(stage="", admin_key="nonsense")
    assert smoke(run, tmp_path / "report.md") == 1
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert differing.found.startswith("expected the check to complete, got POST /v1/users with ADMIN_KEY returned 401")
    assert {*OF_ACCOUNT} < {each.check for each in run.outcomes.of(outcomes.LEFT_OUT)}


@pytest.mark.parametrize(
    ("mutation", "check", "found"),
    [
        (wrong.drops_a_limit_header, "404 for an unknown path", r"header X-RateLimit-Reset: expected 0, got none"),
        (wrong.says_another_401, "401 without a credential", r"expected body .*missing_api_key.*, got .*Unauthorized"),
        (wrong.exposes_no_challenge, "401 for a malformed key", r"header Access-Control-Expose-Headers: expected .*"),
    ],
)
def test_wrong_answer_to_anybody_is_found_and_named(
    served: Served, mutation: wrong.Mutation, check: str, found: str
) -> None:
    """A dropped limit header, another 401, an unexposed challenge: each difference found is that one."""
    with wrong.before(served.url, mutation) as url, settings.override(served.settings):
        run = served.run(url=url)
        contract.check(run)
    differing = run.outcomes.of(outcomes.DIFFERS)
    assert check in {each.check for each in differing}
    name = found.partition(":")[0].removeprefix("header ").removeprefix("expected ")
    assert [each for each in differing if name.split(" .*")[0].lower() not in each.found.lower()] == []
    assert re.search(found, next(each.found for each in differing if each.check == check))


def test_revoked_key_that_passes_once_is_found(served: Served, account: throwaway.Account) -> None:
    """One request too many after each revocation is counted and named."""
    with wrong.before(served.url, wrong.remembers(401, times=1)) as url, settings.override(served.settings):
        run = served.run(url=url)
        revocation.check(run, dataclasses.replace(account, run=run))
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert differing.check.startswith("a revoked key is rejected at the next request")
    assert differing.found == f"expected 401 for each, got 200 for {revocation.ROUNDS} requests after the revocation"


def test_more_than_the_burst_is_found(served: Served, account: throwaway.Account) -> None:
    """A gateway that admits everything is told from one that admits the burst in each second."""
    with wrong.before(served.url, wrong.remembers(429, times=None)) as url, settings.override(served.settings):
        run = served.run(url=url)
        burst.check(run, dataclasses.replace(account, run=run))
    differing = run.outcomes.of(outcomes.DIFFERS)
    assert differing
    assert {each.check.partition("admits")[2] for each in differing} == {" no more than the burst"}
