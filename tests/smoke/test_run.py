"""A run against a server as `make run` serves it, and behind a proxy that breaks the contract."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.accounts.tables import Account as Stored
from chalicelib.core import settings
from infra.smoke import burst, contract, outcomes, revocation, throwaway
from infra.smoke.__main__ import INTERRUPTED, OF_ACCOUNT, smoke
from tests.receiver import listening
from tests.smoke import wrong
from tests.smoke.conftest import Served

pytestmark = pytest.mark.xdist_group("smoke")
FORBIDDEN = re.compile(r"lk_[a-z]+_[0-9A-Za-z]{36}|@example\.com|127\.0\.0\.1|acc_\w{8}")


@pytest.fixture(scope="module")
def account(served: Served) -> Iterator[throwaway.Account]:
    """An account that an administrator's key has made, for all wrong servers."""
    run = served.run(stage="", admin_key=served.admin_key)
    with settings.in_use(served.settings):
        with throwaway.account(run) as made:
            yield made
        assert [each.state for each in run.outcomes.found] == [outcomes.OK]


def test_whole_run_finds_nothing_and_leaves_nothing(served: Served, tmp_path: Path) -> None:
    """Against a server that keeps the contract every check holds; the account is deleted, the report is redacted."""
    with listening() as receiver:
        run = served.run(receiver=receiver.url)
        assert smoke(run, tmp_path / "report.md") == 0, run.outcomes.of(outcomes.DIFFERS)
        assert {message.headers["webhook-id"][:4] for message in receiver.received} == {"evt_"}
    with settings.in_use(served.settings):
        left = [each for each in Stored.scan() if each.email.startswith("smoke.") and each.status != "deleted"]
    assert left == []
    report = (tmp_path / "report.md").read_text()
    assert "0 differs" in report
    assert FORBIDDEN.findall(report) == []
    assert [each.check for each in run.outcomes.of(outcomes.LEFT_OUT)] == ["cold latency", "mail"]


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
    with settings.in_use(served.settings):
        assert Stored.get(seen[0]).status == "deleted"
    assert [each.check for each in run.outcomes.of(outcomes.OK)] == [throwaway.CLEANUP]


def test_account_that_cannot_be_deleted_is_suspended_and_named(served: Served) -> None:
    """Where its own form refuses, nothing of it works on, and the run says what it left behind."""
    run = served.run()
    with settings.in_use(served.settings), throwaway.account(run) as made:
        made.password = "another password"
    with settings.in_use(served.settings):
        assert Stored.get(made.id).status == "suspended"
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert differing.check == throwaway.CLEANUP
    assert "left behind, suspended" in differing.found


@pytest.mark.parametrize(
    ("mutation", "check", "found"),
    [
        (wrong.drops_a_limit_header, "404 of an unknown path", r"header X-RateLimit-Reset: expected 0, got none"),
        (wrong.says_another_401, "401 without a credential", r"expected body .*missing_api_key.*, got .*Unauthorized"),
        (wrong.exposes_no_challenge, "401 of a malformed key", r"header Access-Control-Expose-Headers: expected .*"),
    ],
)
def test_wrong_answer_to_anybody_is_found_and_named(
    served: Served, mutation: wrong.Mutation, check: str, found: str
) -> None:
    """A dropped limit header, another 401, an unexposed challenge: each difference found is that one."""
    with wrong.before(served.url, mutation) as url, settings.in_use(served.settings):
        run = served.run(url=url)
        contract.check(run)
    differing = run.outcomes.of(outcomes.DIFFERS)
    assert check in {each.check for each in differing}
    name = found.partition(":")[0].removeprefix("header ").removeprefix("expected ")
    assert [each for each in differing if name.split(" .*")[0].lower() not in each.found.lower()] == []
    assert re.search(found, next(each.found for each in differing if each.check == check))


def test_revoked_key_that_passes_once_is_found(served: Served, account: throwaway.Account) -> None:
    """One request too many after each revocation is counted and named."""
    with wrong.before(served.url, wrong.remembers(401, times=1)) as url, settings.in_use(served.settings):
        run = served.run(url=url)
        revocation.check(run, dataclasses.replace(account, run=run))
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert differing.check.startswith("a revoked key is refused at the next request")
    assert differing.found == f"expected 401 at once, got 200 for {revocation.ROUNDS} requests after it"


def test_more_than_the_burst_is_found(served: Served, account: throwaway.Account) -> None:
    """A gateway that admits everything is told from one that admits the burst in each second."""
    with wrong.before(served.url, wrong.remembers(429, times=None)) as url, settings.in_use(served.settings):
        run = served.run(url=url)
        burst.check(run, dataclasses.replace(account, run=run))
    differing = run.outcomes.of(outcomes.DIFFERS)
    assert differing
    assert {each.check.partition("admits")[2] for each in differing} == {" no more than the burst"}
