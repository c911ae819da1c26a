"""`make deploy EDGE=1`: put CloudFront in front of a stage, and close the API's own URL to all other callers.

The API is closed once the domain's DNS points at CloudFront. Only then is the client address header trusted: before
that, any caller could send it to the API's own URL.
"""

import hashlib
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3

from infra import answers, configuration, template
from infra.data_stack import states
from infra.data_stack.cloudformation import command
from infra.edge import association, secret
from infra.edge.looking import NotSeen, has_cloudfront, look
from infra.edge.stacks import CopiesLeft, EdgeStack
from infra.edge.viewer_address import HEADER, is_believed, withdraw
from infra.failed import DeployError
from infra.template import Template

REGION = "us-east-1"
DISTRIBUTION, ORIGIN = (Path(__file__).with_name(f"{name}.yaml") for name in ("distribution", "origin"))
CLOUDFRONT = "AWS::CloudFront::Distribution"
PROPAGATES_S = 300
"""The assumed maximum time until AWS WAF applies a changed rule everywhere; AWS documents only "minutes"."""


class EdgeStatus(NamedTuple):
    """The state of a stage's edge, with instructions for stacks that failed or are being updated."""

    state: str
    is_closed: bool
    """Whether the API accepts only requests from CloudFront."""
    gone: str
    """The result of `Front.gone`."""
    remedies: list[str]


class Front:
    """CloudFront in front of one stage. `say` is called with a line for each step."""

    def __init__(self, stage: str, say: Any) -> None:
        """Create an object for the edge without calling AWS."""
        region = str(boto3.session.Session().region_name)
        self._stage, self._region, self._say = stage, region, say
        # All distributions are in CloudFront's region, so their names include the region of the stage.
        self.distribution = EdgeStack(f"latchkey-{stage}-edge-{region}", REGION, say)
        self.origin = EdgeStack(f"latchkey-{stage}-origin", region, say)

    def is_closed(self, api_id: str | None) -> bool:
        """Return whether the API accepts only requests from CloudFront; `api` is None if nothing is deployed."""
        return association.closes(self.origin.described(), api_id) and not association.is_open(self._stage, api_id)

    def check(self) -> None:
        """Raise DeployError, with instructions, if one of the two stacks can't be updated now."""
        self.distribution.check()
        self.origin.check()

    def put(self, domain: str, certificate: str, api: dict[str, str], boundary: str = "") -> bool:
        """Put CloudFront in front of an API; close the API to other callers once the domain points at CloudFront.

        Completes a rotation of the secret, if one is in progress: the API accepts both secrets before CloudFront sends
        the next secret, and only the next secret afterwards. Returns whether the API is closed.
        """
        now, pending = secret.current(self._stage), secret.pending(self._stage)
        then = pending or now
        if then != now and self.origin.output("RestApiId") == api["rest_api_id"]:
            self._say(f"Accepting both secrets, and waiting {PROPAGATES_S // 60} minutes until AWS WAF does …")
            self._close(api, then, also=now)
            time.sleep(PROPAGATES_S)
        self._say(f"CloudFront for {domain}, in {REGION} (the first time about ten minutes) …")
        self.distribution.put(
            distribution(),
            {
                "Stage": self._stage,
                "ApiRegion": self._region,
                "ApiHost": str(urlsplit(api["rest_api_url"]).hostname),
                "ApiStage": configuration.gateway_stage(self._stage),
                "Domain": domain,
                "Certificate": certificate,
                "Secret": then,
                **({"Boundary": boundary} if boundary else {}),
            },
        )
        if then != now:
            secret.replace(self._stage, then)
        is_closed = self.is_closed(api["rest_api_id"]) or answers.is_cloudfront(f"https://{domain}")
        if is_closed:
            self._say("Closing the API's own URL to all callers except CloudFront …")
            self._close(api, then)
        else:
            target = self.distribution.output("DistributionHost")
            self._say(
                f"CloudFront responds at {target}, but {domain} doesn't point there yet, so the API's own URL stays"
                f" open. Point the domain's DNS at {target} (CNAME, or an alias record), then run this again."
            )
        if pending:
            secret.end(self._stage)
        return is_closed

    def target(self, domain: str) -> str:
        """Return the target for the domain's DNS record; "" if the domain points at CloudFront already."""
        return "" if answers.is_cloudfront(f"https://{domain}") else self.distribution.output("DistributionHost")

    def domain(self) -> str:
        """Return the domain of the distribution; "" if no distribution exists. Raises NotSeen if AWS denies access."""
        given = (look(self.distribution, self._region) or {}).get("Parameters", [])
        return next((str(each["ParameterValue"]) for each in given if each["ParameterKey"] == "Domain"), "")

    def gone(self, api_id: str | None, *, made_again: str = "") -> str:
        """Return an error message, with instructions, if the API accepts only CloudFront but no distribution exists.

        Return "" otherwise, and if AWS denies access. Commands that recreate the distribution pass `made_again`; the
        message then contains `made_again` instead of the instructions.
        """
        try:
            if not self.is_closed(api_id) or self._has_distribution(look(self.distribution, self._region)):
                return ""
        except NotSeen:
            return ""
        return self._unreachable(made_again)

    def _unreachable(self, made_again: str = "") -> str:
        name = self.distribution.name
        why = (
            f"{self._stage} is unreachable: its API accepts only CloudFront, but the distribution was deleted ({name})."
        )
        if made_again:
            return f"{why} {made_again}"
        made = {"Domain": "…", "Certificate": "…"} | self.distribution.parameters()
        return (
            f"{why} To recreate it: make deploy STAGE={self._stage} EDGE=1 DOMAIN={made['Domain']}"
            f" CERTIFICATE={made['Certificate']}. To do without it: remove LATCHKEY_CLIENT_IP_HEADER from"
            f" {configuration.FILE}, run make deploy STAGE={self._stage}, and then open the API:"
            f" {command('delete-stack', self.origin.name, self._region)}"
        )

    def _has_distribution(self, stack: dict[str, Any] | None) -> bool:
        """Return whether the distribution exists. After a failed deletion, the stack may contain only its functions."""
        return stack is not None and stack["StackStatus"] != states.DELETING and self.distribution.has(CLOUDFRONT)

    def rotate(self, api: dict[str, str], boundary: str = "") -> None:
        """Replace the secret in steps, so that no request from CloudFront is ever rejected."""
        made = self.distribution.parameters()
        if not made:
            raise DeployError(f"No CloudFront is in front of {self._stage}: make deploy STAGE={self._stage} EDGE=1 …")
        self.check()
        secret.begin(self._stage)
        self.put(made["Domain"], made["Certificate"], api, boundary)

    def _close(self, api: dict[str, str], shown: str, *, also: str = "") -> None:
        """Close an API to callers that send neither the current secret nor the secret `also`."""
        self.origin.put(
            template.read(ORIGIN),
            {
                "Stage": self._stage,
                "RestApiId": api["rest_api_id"],
                "ApiStage": configuration.gateway_stage(self._stage),
                "Secret": shown,
                "AlsoAccepted": also,
            },
        )
        association.restore(self._stage, api["rest_api_id"])

    def planned(self) -> str:
        """Describe the changes that `put` would make."""
        return f"The edge: {self.distribution.planned()}; then {self.origin.planned()}."

    def status(self, api_id: str | None) -> EdgeStatus:
        """Return the state of the edge's two stacks."""
        origin, stack, gone = self.origin.described(), None, ""
        again = f"make deploy STAGE={self._stage} EDGE=1 DOMAIN=… CERTIFICATE=…"
        closes = association.closes(origin, api_id)
        is_closed = closes and not association.is_open(self._stage, api_id)
        try:
            stack = look(self.distribution, self._region)
            gone = self._unreachable() if is_closed and not self._has_distribution(stack) else ""
            state = gone or self._state(stack, is_closed=is_closed)
        except NotSeen as error:
            state = str(error)
        both = ((self.distribution, None if gone else stack), (self.origin, origin))
        remedies = [one.remedy(each["StackStatus"], again) for one, each in both if each is not None]
        remedies.append(association.remedy(again) if closes and not is_closed else "")
        return EdgeStatus(state, is_closed, gone, [each for each in remedies if each])

    def _state(self, stack: dict[str, Any] | None, *, is_closed: bool) -> str:
        if stack is None:
            return "none"
        to_whom = "closed to all but CloudFront" if is_closed else "open"
        unfinished = f"; its secret is being exchanged: make rotate-edge STAGE={self._stage} finishes"
        state = f"{self.distribution.name}: {stack['StackStatus']}; the API's own address is {to_whom}"
        return state + (unfinished if secret.pending(self._stage) else "")

    def delete(self) -> str:
        """Delete both stacks. Return the resources that remain, with instructions, or "".

        First delete CloudFront's distribution, then end the functions' trust in its header, and last open the API. So
        even if a step fails, no other caller can reach an API that trusts the header.
        """
        left = ""
        if self._must_delete():
            self._say(f"Deleting CloudFront, in {REGION} (about ten minutes) …")
            try:
                self.distribution.delete()
            except CopiesLeft as error:
                left = f"{error} Everything else is removed; run this again tomorrow, which finishes."
        if self.origin.described() is not None:
            self._say(f"Taking {HEADER} out of the functions, and opening the API's own address …")
            withdraw(self._stage)
            self.origin.delete()
        secret.delete(self._stage)
        return left

    def _must_delete(self) -> bool:
        """Return whether a distribution must be deleted. Raises DeployError if one may exist but AWS denies access."""
        try:
            return look(self.distribution, self._region) is not None
        except NotSeen as error:
            if is_believed(self._stage) or self.origin.described() is not None:
                raise DeployError(
                    f"{error} The stage is set up for it, so nothing was removed: run this again with credentials that"
                    f" may call CloudFormation in {REGION}."
                ) from error
            self._say(f"{error} The stage isn't configured for CloudFront, so this continues.")
            return False


def check(stage: str, domain: str) -> None:
    """Raise DeployError, with instructions, if the region or the stage's settings aren't suitable for CloudFront."""
    region = boto3.session.Session().region_name
    if region is not None and not has_cloudfront(region):
        raise DeployError(f"EDGE=1 isn't available in {region}: CloudFront is in another partition, that of {REGION}.")
    wanted = {"LATCHKEY_PUBLIC_URL": f"https://{domain}", "LATCHKEY_CLIENT_IP_HEADER": HEADER}
    if any(configuration.setting(stage, name) != value for name, value in wanted.items()):
        needed = " and ".join(f'"{name}": "{value}"' for name, value in wanted.items())
        raise DeployError(f"EDGE=1 needs {needed} in .chalice/config.json, stages.{stage}.environment_variables.")


def distribution() -> Template:
    """Return the distribution's template, in which the edge function's version is described by a digest of its code."""
    wanted = template.read(DISTRIBUTION)
    code = wanted["Resources"]["Renames"]["Properties"]["Code"]["ZipFile"]
    wanted["Resources"]["RenamesVersion"]["Properties"]["Description"] = hashlib.sha256(code.encode()).hexdigest()
    return wanted
