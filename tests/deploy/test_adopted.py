"""A deployment adopts existing AWS resources, from any checkout and after a deployment that failed."""

import json
from pathlib import Path

import pytest

from infra import deployed
from tests.deploy.checkout import copied
from tests.deploy.cloud import IMPORT, SUBSCRIBE, Cloud, Failure
from tests.deploy.conftest import Deployment

pytestmark = [
    pytest.mark.xdist_group("deploy"),
]


def there_is(cloud: Cloud) -> tuple[int, int, int]:
    """Count the APIs, event source mappings and schedules, of which no duplicates may exist."""
    mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return len(cloud.apis()), len(mappings), len(cloud.client("events").list_rules()["Rules"])


def noted(checkout: Path) -> list[dict[str, str]]:
    """Return the resources in the record that Chalice wrote in a checkout."""
    resources = json.loads((checkout / ".chalice" / "deployed" / "dev.json").read_text())["resources"]
    return sorted(resources, key=lambda each: each["name"])


def test_found_resources_equal_chalices_record(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resources found in AWS are written exactly as Chalice records them, because Chalice reads them instead of its
    own record.
    """
    monkeypatch.chdir(deployment.checkout.path)
    for name, value in deployment.cloud.environment.items():
        monkeypatch.setenv(name, value)
    found = sorted(deployed.found("dev"), key=lambda each: each["name"])
    assert found == noted(deployment.checkout.path)


def test_another_checkout_deploys_without_duplicates(deployment: Deployment, tmp_path: Path) -> None:
    """Another checkout shows the same status, and its deployment duplicates nothing."""
    cloud = deployment.cloud
    before = there_is(cloud), cloud.apis()
    other = copied(tmp_path, is_light=True, **cloud.environment)
    assert other.succeeds("status", "dev") == deployment.checkout.succeeds("status", "dev")
    other.succeeds("deploy", "dev")
    assert (there_is(cloud), cloud.apis()) == before
    assert noted(other.path) == noted(deployment.checkout.path)


def test_deployment_with_lost_responses_is_repeated(deployment: Deployment, tmp_path: Path) -> None:
    """If the response to a creation was lost, a deployment from any checkout adopts the resource."""
    cloud = deployment.cloud
    deployment.checkout.succeeds("destroy", "dev")
    assert there_is(cloud) == (0, 0, 0)
    for lost in (SUBSCRIBE, IMPORT):
        cloud.fails = Failure(lost, is_done=True)
        assert deployment.checkout.run("deploy", "dev").status == 1
        assert cloud.fails is None
    copied(tmp_path, is_light=True, **cloud.environment).succeeds("deploy", "dev")
    assert there_is(cloud) == (1, 2, 2)


def test_failed_deployment_is_destroyed_from_another_checkout(deployment: Deployment, tmp_path: Path) -> None:
    """`make destroy` from another checkout removes everything that a failed deployment created."""
    cloud = deployment.cloud
    deployment.checkout.succeeds("destroy", "dev")
    cloud.fails = Failure(IMPORT, is_done=True)
    assert deployment.checkout.run("deploy", "dev").status == 1
    copied(tmp_path, is_light=True, **cloud.environment).succeeds("destroy", "dev")
    assert (there_is(cloud), cloud.functions()) == ((0, 0, 0), {})
