"""The deployment lock, which allows one deployment of a stage at a time."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import clock
from infra import lock
from infra.deploy.command import INTERRUPTED
from infra.failed import DeployError
from tests.deploy.checkout import copied
from tests.deploy.cloud import Cloud

pytestmark = pytest.mark.xdist_group("stack")
TABLE = "latchkey-dev-tickets"


def put_table_up(cloud: Cloud) -> None:
    """Create the table that stores the lock."""
    cloud.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "digest", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "digest", "KeyType": "HASH"}],
    )


@pytest.fixture
def tables(cloud: Cloud) -> Any:
    """A DynamoDB client of an account with the table that stores the lock."""
    put_table_up(cloud)
    return cloud.client("dynamodb")


def test_second_deployment_is_rejected_while_the_first_runs(tables: Any) -> None:
    """A second deployment fails and names the operator of the first. It can run after the first has finished."""
    with lock.on("dev") as take:
        take()
        told = r" on .+, since \d\d:\d\d UTC, is deploying or destroying"
        with pytest.raises(DeployError, match=told), lock.on("dev"):
            pass
    with lock.on("dev"):
        assert tables.scan(TableName=TABLE)["Count"] == 1
    assert tables.scan(TableName=TABLE)["Count"] == 0


def test_lock_of_a_killed_deployment_expires(tables: Any) -> None:
    """The lock of a killed deployment expires, so that another deployment can run."""
    left = {**lock.KEY, "held_by": {"S": "another"}, "who": {"S": "ada on laptop"}}
    tables.put_item(TableName=TABLE, Item={**left, "dies_at": {"N": str(clock.now_s() + 60)}})
    with pytest.raises(DeployError, match="ada on laptop is deploying"), lock.on("dev"):
        pass
    tables.put_item(TableName=TABLE, Item={**left, "dies_at": {"N": str(clock.now_s() - 1)}})
    with lock.on("dev"):
        pass


def test_lock_is_renewed_while_it_is_held(tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is renewed while its deployment runs."""
    monkeypatch.setattr(lock, "RENEWED_EVERY_S", 0.01)
    monkeypatch.setattr(lock, "HELD_S", 1_000)
    with lock.on("dev"):
        key = {"TableName": TABLE, "Key": lock.KEY}
        tables.update_item(
            **key, UpdateExpression="SET dies_at = :soon", ExpressionAttributeValues={":soon": {"N": "1"}}
        )
        until = time.monotonic() + 20
        while tables.get_item(**key)["Item"]["dies_at"] == {"N": "1"}:
            assert time.monotonic() < until


def test_first_deployment_locks_once_the_table_exists(cloud: Cloud) -> None:
    """A first deployment acquires the lock as soon as its table exists.

    Before that, CloudFormation rejects a second deployment.
    """
    tables = cloud.client("dynamodb")
    with lock.on("dev") as take:
        put_table_up(cloud)
        take()
        assert tables.scan(TableName=TABLE)["Count"] == 1
    assert tables.scan(TableName=TABLE)["Count"] == 0


def test_terminated_deployment_releases_its_lock(cloud: Cloud, tmp_path: Path) -> None:
    """SIGTERM, which a cancelled CI job sends, releases the lock: the next deployment doesn't wait until it expires."""
    checkout = copied(tmp_path, is_light=True, **cloud.environment)
    checkout.succeeds("deploy", "dev")
    cloud.changes.clear()
    with subprocess.Popen(
        [sys.executable, "-m", "infra.deploy", "deploy", "--stage", "dev"],
        cwd=tmp_path,
        env={**os.environ, **cloud.environment},
        stderr=subprocess.PIPE,
        text=True,
    ) as deploying:
        until = time.monotonic() + 60
        while not cloud.changes and time.monotonic() < until:
            time.sleep(0.02)
        assert lock.holder("dev")
        deploying.terminate()
        assert "Interrupted." in deploying.communicate()[1]
    assert (deploying.returncode, lock.holder("dev")) == (INTERRUPTED, "")
    checkout.succeeds("deploy", "dev")
