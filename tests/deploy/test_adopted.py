"""What exists in AWS is found and adopted: by another checkout, and after a deployment that failed."""

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
    """Count what must never be made twice: APIs, subscriptions, schedules."""
    mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return len(cloud.apis()), len(mappings), len(cloud.client("events").list_rules()["Rules"])


def noted(checkout: Path) -> list[dict[str, str]]:
    """Return what Chalice has noted in a checkout."""
    resources = json.loads((checkout / ".chalice" / "deployed" / "dev.json").read_text())["resources"]
    return sorted(resources, key=lambda each: each["name"])


def test_what_is_found_is_what_chalice_noted(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the letter, since Chalice reads it in place of its own."""
    monkeypatch.chdir(deployment.checkout.path)
    for name, value in deployment.cloud.environment.items():
        monkeypatch.setenv(name, value)
    found = sorted(deployed.found("dev"), key=lambda each: each["name"])
    assert found == noted(deployment.checkout.path)


def test_another_checkout_goes_on_with_what_there_is(deployment: Deployment, tmp_path: Path) -> None:
    """A second laptop, a CI job, a fresh clone: the same status, and a deployment that makes nothing twice."""
    cloud = deployment.cloud
    before = there_is(cloud), cloud.apis()
    other = copied(tmp_path, is_light=True, **cloud.environment)
    assert other.succeeds("status", "dev") == deployment.checkout.succeeds("status", "dev")
    other.succeeds("deploy", "dev")
    assert (there_is(cloud), cloud.apis()) == before
    assert noted(other.path) == noted(deployment.checkout.path)


def test_deployment_whose_answers_were_lost_is_repeated(deployment: Deployment, tmp_path: Path) -> None:
    """It failed after something was made of which Chalice knows nothing; the next one, from anywhere, finds it."""
    cloud = deployment.cloud
    deployment.checkout.succeeds("destroy", "dev")
    assert there_is(cloud) == (0, 0, 0)
    for lost in (SUBSCRIBE, IMPORT):
        cloud.fails = Failure(lost, is_done=True)
        assert deployment.checkout.run("deploy", "dev").status == 1
        assert cloud.fails is None
    copied(tmp_path, is_light=True, **cloud.environment).succeeds("deploy", "dev")
    assert there_is(cloud) == (1, 1, 2)


def test_deployment_that_failed_can_be_destroyed(deployment: Deployment, tmp_path: Path) -> None:
    """From another checkout, too: nothing of the service is left, whatever its file knows."""
    cloud = deployment.cloud
    deployment.checkout.succeeds("destroy", "dev")
    cloud.fails = Failure(IMPORT, is_done=True)
    assert deployment.checkout.run("deploy", "dev").status == 1
    copied(tmp_path, is_light=True, **cloud.environment).succeeds("destroy", "dev")
    assert (there_is(cloud), cloud.functions()) == ((0, 0, 0), {})
