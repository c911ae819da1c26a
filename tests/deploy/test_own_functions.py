"""Functions that the operator adds to app.py are deployed, adopted, replaced and removed with their triggers."""

import sys
from pathlib import Path

import pytest
import yaml

from infra import subscription
from tests.deploy.checkout import copied
from tests.deploy.cloud import Failure
from tests.deploy.own_functions import NAMES, ROLE, Account, configure, folder, forget_functions, stream_of

pytestmark = pytest.mark.xdist_group("own_functions")


def test_own_functions_are_adopted_from_any_checkout(own_account: Account, tmp_path: Path) -> None:
    """A second deployment, from another checkout, finds every function of the operator, and duplicates nothing."""
    own_account.declare(*NAMES)
    own_account.checkout.succeeds("deploy", "dev")
    everything = {"rules": 3, "mappings": 5, "topics": 1, "buckets": 1}
    assert (own_account.own(), own_account.triggers()) == (sorted(NAMES), everything)
    other = copied(folder(tmp_path, "other"), is_light=True, **own_account.cloud.environment)
    configure(other, {name: {"iam_role_arn": ROLE} for name in NAMES})
    other.succeeds("deploy", "dev")
    assert (own_account.own(), own_account.triggers()) == (sorted(NAMES), everything)


def test_removed_functions_are_deleted_with_their_triggers(own_account: Account) -> None:
    """A deployment deletes functions that app.py no longer declares, and their triggers."""
    own_account.declare(*NAMES)
    own_account.checkout.succeeds("deploy", "dev")
    (own_account.checkout.path / ".chalice" / "deployed" / "dev.json").unlink()
    own_account.declare("plain")
    planned = own_account.checkout.succeeds("deploy", "dev", "--dry-run")
    assert planned.count("Deleting function") == len(NAMES) - 1
    own_account.checkout.succeeds("deploy", "dev")
    assert (own_account.own(), own_account.triggers()) == (
        ["plain"],
        {"rules": 2, "mappings": 2, "topics": 0, "buckets": 0},
    )


def test_destroy_removes_own_functions(own_account: Account, tmp_path: Path) -> None:
    """`make destroy` deletes the operator's functions even if app.py declares none, and not those of other stages."""
    own_account.declare(*NAMES)
    own_account.checkout.succeeds("deploy", "dev")
    functions = own_account.cloud.client("lambda")
    functions.create_function(
        FunctionName="latchkey-dev-eu-report",
        Runtime="python3.13",
        Role=ROLE,
        Handler="app.report",
        Code={"ZipFile": b""},
        Tags={"aws-chalice": "version=1.33.0:stage=dev-eu:app=latchkey"},
    )
    own_account.cloud.client("events").put_rule(Name="latchkey-dev-eu-report-event", ScheduleExpression="rate(1 day)")
    forget_functions()
    copied(folder(tmp_path, "other"), is_light=True, **own_account.cloud.environment).succeeds("destroy", "dev")
    assert set(own_account.cloud.functions()) == {"latchkey-dev-eu-report"}
    assert own_account.triggers() == {"rules": 1, "mappings": 0, "topics": 0, "buckets": 0}


def test_changed_stream_is_subscribed_to(own_account: Account) -> None:
    """A function whose stream changes in app.py is subscribed to the new stream alone."""
    own_account.declare("on_order")
    own_account.checkout.succeeds("deploy", "dev")
    own_account.stream = stream_of(own_account.cloud, "sales")
    own_account.declare("on_order")
    own_account.checkout.succeeds("deploy", "dev")
    mappings = own_account.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    sources = [each["EventSourceArn"] for each in mappings if each["FunctionArn"].endswith("on_order")]
    assert sources == [own_account.stream]


def test_subscription_of_own_function_in_deletion_is_waited_for(
    own_account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment waits until Lambda has deleted the former subscription of an operator's function."""
    monkeypatch.setattr(subscription, "PAUSE_S", 0)
    own_account.declare("on_order")
    own_account.checkout.succeeds("deploy", "dev")
    own_account.cloud.lingers = 1_000
    own_account.checkout.succeeds("destroy", "dev")
    own_account.cloud.leaving = [(mapping, 20) for mapping, _ in own_account.cloud.leaving]
    said = own_account.checkout.succeeds("deploy", "dev")
    waits = next(line for line in said.splitlines() if line.startswith("Waiting until Lambda has deleted the former"))
    assert "latchkey-dev-on_order" in waits


def test_stopped_own_function_is_not_started(own_account: Account) -> None:
    """A deployment refuses a stage with a stopped function, also if it is one of the operator's own."""
    own_account.declare("plain")
    own_account.checkout.succeeds("deploy", "dev")
    own_account.cloud.client("lambda").put_function_concurrency(
        FunctionName="latchkey-dev-plain", ReservedConcurrentExecutions=0
    )
    done = own_account.checkout.run("deploy", "dev")
    assert (done.status, "latchkey-dev-plain may run 0 times at once" in done.error) == (1, True)
    assert "latchkey-dev-plain" in own_account.checkout.succeeds("status", "dev")


def test_packaged_own_function_has_its_name_and_role(own_account: Account, tmp_path: Path) -> None:
    """`make package` names an own function as `make deploy` does, and gives it its configured role."""
    own_account.declare("plain")
    own_account.checkout.succeeds("package", "dev", "--out", str(tmp_path / "out"))
    properties = yaml.safe_load((tmp_path / "out" / "sam.yaml").read_text())["Resources"]["Plain"]["Properties"]
    assert (properties["FunctionName"], properties["Role"]) == ("latchkey-dev-plain", ROLE)


@pytest.mark.parametrize("name", ["on_queue", "on_record", "on_topic", "on_bucket", "on_order"])
def test_interrupted_change_of_a_source_is_finished(own_account: Account, name: str) -> None:
    """If a deployment fails after it has subscribed to the new source, the next one removes the former subscription."""
    own_account.declare(name)
    own_account.checkout.succeeds("deploy", "dev")
    before = own_account.triggers()
    own_account.change_sources()
    own_account.declare(name)
    own_account.cloud.fails = Failure("PUT /restapis", is_done=False)
    assert own_account.checkout.run("deploy", "dev").status == 1
    own_account.checkout.succeeds("deploy", "dev")
    assert own_account.triggers() == before
    assert own_account.notified("orders-of-ours") == 0
    own_account.checkout.succeeds("destroy", "dev")
    assert own_account.triggers() == {"rules": 0, "mappings": 0, "topics": 0, "buckets": 0}


def test_deleted_bucket_blocks_neither_deployment_nor_destroy(own_account: Account) -> None:
    """A bucket that doesn't exist (any more) has no notification to remove."""
    own_account.declare("on_bucket")
    own_account.checkout.succeeds("deploy", "dev")
    own_account.cloud.client("s3").delete_bucket(Bucket="orders-of-ours")
    own_account.change_sources()
    own_account.declare("on_bucket")
    own_account.checkout.succeeds("deploy", "dev")
    assert own_account.notified("others-of-ours") == 1
    own_account.cloud.client("s3").delete_bucket(Bucket="others-of-ours")
    own_account.checkout.succeeds("destroy", "dev")
    assert own_account.own() == []


def test_triggers_of_deleted_functions_are_adopted_or_deleted(own_account: Account) -> None:
    """Rules and subscriptions of own functions that were deleted by hand are adopted by deploy, deleted by destroy."""
    names = ("mine", "on_queue", "on_record", "on_order")
    for command in ("deploy", "destroy"):
        own_account.declare(*names)
        own_account.checkout.succeeds("deploy", "dev")
        for name in names:
            own_account.cloud.client("lambda").delete_function(FunctionName=f"latchkey-dev-{name}")
        own_account.checkout.succeeds(command, "dev")
        left = (3, 5) if command == "deploy" else (0, 0)
        assert (own_account.triggers()["rules"], own_account.triggers()["mappings"]) == left


def test_destroy_works_without_a_valid_app(own_account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make destroy` doesn't import app.py, so that an error in it doesn't stop the removal."""
    own_account.checkout.succeeds("deploy", "dev")
    (own_account.checkout.path / "app.py").write_text("raise SystemExit(3)")
    monkeypatch.delitem(sys.modules, "app", raising=False)
    own_account.checkout.succeeds("destroy", "dev")
    assert own_account.cloud.functions() == {}
