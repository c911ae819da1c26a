"""Select the target of a smoke run: its URL, and the run's access to tables and AWS.

- `STAGE=dev`: the deployed stage, its tables and AWS. The URL is looked up in AWS, unless `URL=` is set.
- `STAGE=local`, the default: `make run` and its database.
- `URL=` without a stage: only this URL. Checks with an account then require an administrator's key in `ADMIN_KEY=`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.api import www_authenticate
from chalicelib.core import settings
from chalicelib.core.settings import Settings
from infra import aws_settings, checkout, deployed, engine, inputs, stage_settings
from infra.browser import call

LOCAL, DEPLOYED = inputs.LOCAL, inputs.STAGES
_WINDOW = re.compile(r'"burst";q=\d+;w=(\d+)')
NOTHING_RUNS = "No local run was found. Start one with `make run`, or set STAGE=dev or URL=https://…"


_NOT_LATCHKEY = (
    "This isn't a Latchkey: GET /health returned {}. URL is the address without /health, but with API Gateway's stage:"
    " URL=https://….amazonaws.com/api"
)


class NoTarget(Exception):
    """No target was found; the message names the variables to set."""


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment, and this run's access to it."""

    url: str
    stage: str = ""
    """The stage whose tables are used; "" if only the URL is known."""
    settings: Settings = field(default_factory=Settings)
    """The settings of the deployment, as far as they are known."""
    admin_key: str = field(default="", repr=False)
    receiver: str = ""
    is_cold_wanted: bool = False

    @property
    def is_deployed(self) -> bool:
        """Return whether the target is a stage on AWS."""
        return self.stage in DEPLOYED

    @property
    def has_accounts(self) -> bool:
        """Return whether this run can create an account."""
        return bool(self.stage or self.admin_key)


def select(given: Mapping[str, str]) -> Target:
    """Return the target that the variables select. Raises Mistake, NoTarget, SettingError, or AWS's errors."""
    checkout.check_local()  # the report will be written into this checkout
    stage = inputs.stage("smoke", given.get("STAGE", "").strip() or LOCAL, known=(*DEPLOYED, LOCAL))
    url = inputs.given("URL", given.get("URL", "")).rstrip("/")
    more = {
        "admin_key": inputs.given("ADMIN_KEY", given.get("ADMIN_KEY", "")),
        "receiver": inputs.given("RECEIVER", given.get("RECEIVER", "")),
        "is_cold_wanted": bool(given.get("COLD", "").strip()),
    }
    if stage in DEPLOYED:
        aws_settings.check()
        deployed_settings = of_stage(stage)
        return Target(url or deployed_settings.public_url or _deployed_url(stage), stage, deployed_settings, **more)  # type: ignore[arg-type]
    if url:
        return Target(url, "", detect_settings(url), **more)  # type: ignore[arg-type]  # its keys are fields
    running = engine.running()
    if running is None:
        raise NoTarget(NOTHING_RUNS)
    return Target(running[1], LOCAL, stage_settings.settings_of(LOCAL), **more)  # type: ignore[arg-type]  # as above


def of_stage(stage: str) -> Settings:
    """Return the settings in the environment of a stage's function. Raises NoTarget if the stage isn't deployed."""
    variables = deployed.variables(stage)
    if variables is None:
        raise _nothing_deployed(stage)
    return settings.from_environment(variables)


def detect_settings(url: str) -> Settings:
    """Return the settings that responses reveal: the public URL, the allowed CORS origin and the burst window.

    Raises NoTarget if /health redirects, is missing or requires authorization, since every check would fail then.
    """
    health = call("GET", f"{url}/health")
    if health.status in (301, 302, 307, 308, 401, 403, 404):
        raise NoTarget(_NOT_LATCHKEY.format(health.status))
    response = call("GET", f"{url}/v1/users/me")
    is_named = f'resource_metadata="{url}{www_authenticate.METADATA}"' in (response.header("WWW-Authenticate") or "")
    origin = response.header("Access-Control-Allow-Origin") or "*"
    window = _WINDOW.search(health.header("RateLimit-Policy") or "")
    return Settings(
        public_url=url if is_named else "", allowed_origin=origin, burst_window_s=int(window[1]) if window else 1
    )


def _deployed_url(stage: str) -> str:
    api = deployed.api_of(stage)
    if api is None:
        raise _nothing_deployed(stage)
    return api["rest_api_url"].rstrip("/")


def _nothing_deployed(stage: str) -> NoTarget:
    return NoTarget(f"Nothing is deployed as {stage} in this account and region: make deploy STAGE={stage}")


def environment() -> Mapping[str, str]:
    """Return the environment. make passes the variables in it, so that no secret is visible on a command line."""
    return os.environ
