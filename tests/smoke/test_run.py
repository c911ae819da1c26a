"""Smoke runs against a server as `make run` serves it, and against a proxy that breaks the contract."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.accounts import change
from chalicelib.accounts.tables import Account as Stored
from chalicelib.accounts.tables import User
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
    """An account created with an administrator's key, for all tests with a proxy."""
    run = served.run(stage="", admin_key=served.admin_key)
    with settings.override(served.settings):
        with throwaway.account(run) as made:
            yield made
        assert [each.state for each in run.outcomes.found] == [outcomes.OK]


def test_run_against_a_correct_server_reports_no_difference(served: Served, tmp_path: Path) -> None:
    """Against a correct server a run reports no difference, deletes its account and user and redacts its report."""
    with run_receiver() as receiver:
        run = served.run(receiver=receiver.url)
        assert smoke(run, tmp_path / "report.md") == 0, run.outcomes.of(outcomes.DIFFERS)
        assert {message.headers["webhook-id"][:4] for message in receiver.received} == {"evt_"}
    with settings.override(served.settings):
        left = [each for each in Stored.scan() if each.name == throwaway.NAME and each.status != "deleted"]
        users = [each for each in User.scan() if each.email.startswith("smoke.")]
    assert (left, users) == ([], [])
    report = (tmp_path / "report.md").read_text()
    assert "0 differs" in report
    assert FORBIDDEN.findall(report) == []
    left_out = [each.check for each in run.outcomes.of(outcomes.LEFT_OUT)]
    assert [check for check in left_out if "volley" not in check] == ["cold latency", "mail"]


def test_run_with_a_url_only_leaves_out_checks_of_accounts(served: Served, tmp_path: Path) -> None:
    """With a URL only, a run reports no difference, and checks that need an account are listed as left out."""
    run = served.run(stage="")
    assert smoke(run, tmp_path / "report.md") == 0
    assert {*OF_ACCOUNT} < {each.check for each in run.outcomes.of(outcomes.LEFT_OUT)}


def test_interrupted_run_deletes_its_account(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a check deletes the account, and the exit status says that the run was interrupted."""

    def interrupted(_run: object, account: throwaway.Account) -> None:
        seen.append(account)
        raise KeyboardInterrupt

    seen: list[throwaway.Account] = []
    monkeypatch.setitem(OF_ACCOUNT, "credentials", interrupted)
    monkeypatch.setattr(contract, "check", lambda _run: None)
    run = served.run()
    assert smoke(run, tmp_path / "report.md") == INTERRUPTED
    with settings.override(served.settings):
        assert Stored.get(seen[0].id).status == "deleted"
        assert User.get(seen[0].user_id).status == "deleted"
    assert [each.check for each in run.outcomes.of(outcomes.OK)] == [throwaway.CLEANUP]


def test_undeletable_account_is_suspended_and_named(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the account can't be deleted it is suspended, and the run prints its name, even after an interruption."""

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


def test_name_of_the_account_is_not_redacted(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the account isn't redacted, even if its digits look like an AWS account id."""
    monkeypatch.setattr("infra.smoke.throwaway.secrets.token_hex", lambda size: ("abcd" + "7" * 12)[: 2 * size])
    run = served.run()
    with settings.override(served.settings), throwaway.account(run) as made:
        name = made.email.partition("@")[0]
    assert run.outcomes.redaction.of(name) == name


def test_account_that_can_be_neither_deleted_nor_suspended_is_named(served: Served) -> None:
    """If the account can be neither deleted nor suspended, the run reports the reason in one line and continues."""
    run = served.run()
    with settings.override(served.settings), throwaway.account(run) as made:
        made.password, made.id = "another password", "acc_0000000000"
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert "left behind, not even suspended: NotFound" in differing.found
    with settings.override(served.settings):
        change.set_tier_and_status(run.account_id, tier=None, status="suspended", actor="operator")


def test_deletion_is_checked_again_after_a_429(served: Served) -> None:
    """A 429 doesn't show whether the key is still valid, so the check that the account is deleted is repeated."""
    run = served.run()
    with settings.override(served.settings), throwaway.account(run) as made:
        assert burst.fire(run, made.key).admitted < burst.REQUESTS
    assert [(each.state, each.check) for each in run.outcomes.found] == [(outcomes.OK, throwaway.CLEANUP)]


def test_invalid_admin_key_leaves_out_checks_of_accounts(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the administrator's key is invalid, one line has the reason, and the checks that need an account are
    left out.
    """
    monkeypatch.setattr(contract, "check", lambda _run: None)
    run = served.run(stage="", admin_key="nonsense")
    assert smoke(run, tmp_path / "report.md") == 1
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert differing.found.startswith(
        "expected the check to complete, got POST /v1/accounts with ADMIN_KEY returned 401"
    )
    assert {*OF_ACCOUNT} < {each.check for each in run.outcomes.of(outcomes.LEFT_OUT)}


@pytest.mark.parametrize(
    ("mutation", "check", "found"),
    [
        (wrong.drops_a_limit_header, "404 for an unknown path", r"header X-RateLimit-Reset: expected 0, got none"),
        (wrong.says_another_401, "401 without a credential", r"expected body .*missing_api_key.*, got .*Unauthorized"),
        (wrong.exposes_no_challenge, "401 for a malformed key", r"header Access-Control-Expose-Headers: expected .*"),
    ],
)
def test_wrong_response_is_reported(served: Served, mutation: wrong.Mutation, check: str, found: str) -> None:
    """A missing limit header, a different 401 and an unexposed challenge are each reported, without other
    differences.
    """
    with wrong.before(served.url, mutation) as url, settings.override(served.settings):
        run = served.run(url=url)
        contract.check(run)
    differing = run.outcomes.of(outcomes.DIFFERS)
    assert check in {each.check for each in differing}
    name = found.partition(":")[0].removeprefix("header ").removeprefix("expected ")
    assert [each for each in differing if name.split(" .*")[0].lower() not in each.found.lower()] == []
    assert re.search(found, next(each.found for each in differing if each.check == check))


def test_revoked_key_that_is_accepted_once_is_reported(served: Served, account: throwaway.Account) -> None:
    """A server that accepts a revoked key once after each revocation is reported, with the number of these requests."""
    with wrong.before(served.url, wrong.remembers(401, times=1)) as url, settings.override(served.settings):
        run = served.run(url=url)
        revocation.check(run, dataclasses.replace(account, run=run))
    (differing,) = run.outcomes.of(outcomes.DIFFERS)
    assert differing.check.startswith("a revoked key is rejected at the next request")
    assert differing.found == f"expected 401 for each, got 200 for {revocation.ROUNDS} requests after the revocation"


def test_exceeded_burst_is_reported(served: Served, account: throwaway.Account) -> None:
    """A server that admits all requests is reported. A server that admits the burst in each second isn't reported."""
    with wrong.before(served.url, wrong.remembers(429, times=None)) as url, settings.override(served.settings):
        run = served.run(url=url)
        burst.check(run, dataclasses.replace(account, run=run))
    differing = run.outcomes.of(outcomes.DIFFERS)
    assert differing
    assert {each.check.partition("admits")[2] for each in differing} == {" no more than the burst"}
