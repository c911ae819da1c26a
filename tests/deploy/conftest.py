"""Fixtures: an account with a deployed stage, and an emulator with a packaged stage."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import process_cache, settings
from chalicelib.core.dynamodb import client as dynamodb
from tests.deploy import emulator
from tests.deploy.checkout import Checkout, architecture_here, copied
from tests.deploy.cloud import Cloud, serving
from tests.deploy.edge import SETTINGS, World, headers
from tests.deploy.own_functions import Account, folder, forget_functions


@dataclass(frozen=True, slots=True)
class Deployment:
    """The stage `dev`, deployed from a checkout into an account; `said` is the command's output."""

    cloud: Cloud
    checkout: Checkout
    said: str


@dataclass(frozen=True, slots=True)
class EmulatedStage:
    """The packaged stage `dev`, which an emulated gateway serves at `url`."""

    emulator: emulator.Emulator
    url: str


@pytest.fixture(scope="package", autouse=True)
def nothing_answers() -> Iterator[None]:
    """Make every domain unreachable unless a test defines a response."""
    opened = urllib.request.urlopen

    def answer(url: Any, **given: Any) -> Any:
        if str(url).startswith("https://"):
            raise urllib.error.URLError("Name or service not known")
        return opened(url, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", answer)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty account with a checkout that has the edge's settings. The stage's domain points to CloudFront."""
    with serving() as cloud, pytest.MonkeyPatch.context() as patch:
        checkout = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
        made = World(cloud, checkout, headers(X_Amz_Cf_Id="1"))
        patch.setattr(urllib.request, "urlopen", made.answer)
        made.configure(**SETTINGS)
        yield made


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty account, which this process's environment points to."""
    with serving() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that all tests of a module share."""
    with serving() as cloud:
        checkout = copied(tmp_path_factory.mktemp("checkout"), is_light=True, **cloud.environment)
        yield Deployment(cloud, checkout, checkout.succeeds("deploy", "dev"))


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make package` wrote for the stage `prod` and arm64, from a checkout with a stray cache file."""
    made = tmp_path_factory.mktemp("the package")
    checkout = copied(tmp_path_factory.mktemp("checkout"), AWS_DEFAULT_REGION="us-east-1")
    cache = checkout.path / "chalicelib" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "stray.pyc").touch()
    said = checkout.succeeds("package", "prod", "--out", str(made))
    assert f"sam deploy -t '{made}/sam.yaml' --guided" in said
    assert "--parameter-overrides Protection=off" in said
    assert "from then on, with Protection=on" in said
    return made


@pytest.fixture(scope="session")
def packaged_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make package` wrote for the stage `dev` and this machine's processor."""
    made = tmp_path_factory.mktemp("package-here")
    checkout = copied(tmp_path_factory.mktemp("checkout"), architecture=architecture_here() or "")
    checkout.succeeds("package", "dev", "--out", str(made))
    return made


@pytest.fixture(scope="package")
def emulated_once(packaged_here: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedStage]:
    """The packaged stack in the emulator, created once; this process's environment doesn't point to the emulator."""
    folder = tmp_path_factory.mktemp("emulated")
    with emulator.running(folder / "emulator.log") as running:
        yield EmulatedStage(running, emulator.create_stack(running, packaged_here))


@pytest.fixture(scope="module")
def emulated_stage(emulated_once: EmulatedStage) -> Iterator[EmulatedStage]:
    """The packaged stage in the emulator. This process can use its tables, as `make account` and `make key` do."""
    with pytest.MonkeyPatch.context() as environment, settings.override(settings.Settings(stage=emulator.STAGE)):
        for name, value in emulated_once.emulator.environment.items():
            environment.setenv(name, value)
        environment.setattr(dynamodb, "READ_TIMEOUT_S", emulator.TIMEOUT_S)
        dynamodb.reset_connections()
        process_cache.forget()
        yield emulated_once
    dynamodb.reset_connections()
    process_cache.forget()


@pytest.fixture
def own_account(tmp_path: Path) -> Iterator[Account]:
    """An account in which nothing is deployed yet."""
    with serving() as cloud:
        checkout = copied(folder(tmp_path, "first"), is_light=True, **cloud.environment)
        made = Account(cloud, checkout)
        cloud.client("iam").create_role(RoleName="own", AssumeRolePolicyDocument="{}")
        made.create_sources()
        yield made
    forget_functions()
