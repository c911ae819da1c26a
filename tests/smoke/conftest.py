"""Fixtures: a server that all tests of a module share, and smoke runs against it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.core import settings
from chalicelib.core.dynamodb import client as dynamodb
from infra import engine
from infra.smoke.outcomes import Outcomes
from infra.smoke.redaction import Redaction
from infra.smoke.run import Run
from infra.smoke.target import LOCAL, Target
from tests.support import subprocess_server
from tests.support.harness import stage_key_file


@dataclass(frozen=True, slots=True)
class Served:
    """A running server and the key of its administrator."""

    url: str
    admin_key: str

    def run(self, *, url: str = "", **more: Any) -> Run:
        """Return a smoke run against the server or `url`. The run may use the tables unless a `stage` is passed."""
        chosen = {"stage": LOCAL, "settings": self.settings, **more}
        return Run(Target(url or self.url, **chosen), Outcomes(Redaction(), lambda _line: None))

    @property
    def settings(self) -> settings.Settings:
        """Return the settings of the server."""
        return settings.Settings(public_url=self.url, stage_key_file=stage_key_file())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server, whose tables this process can use as well."""
    database = engine.start(None, say=False)
    log = tmp_path_factory.mktemp("server") / "server.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", database.url)
        dynamodb.reset_connections()
        try:
            with subprocess_server.run_module("tests.smoke.server", log) as process:
                yield Served(**subprocess_server.read_line(process))
        finally:
            database.stop()
            dynamodb.reset_connections()


@pytest.fixture
def quiet_run() -> Callable[..., Run]:
    """A function that returns a run against a stage to which no request is sent."""

    def made(**more: Any) -> Run:
        chosen = {"stage": "dev", **more}
        return Run(Target("https://api.example.com", **chosen), Outcomes(Redaction(), lambda _line: None))

    return made
