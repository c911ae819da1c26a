"""`make deploy EDGE=1`: CloudFront in front of a stage, and the API's own address closed to everybody else.

Nothing is closed before the domain leads to CloudFront, and the header with the client address is believed only when
everything is: before that anybody could send it to the API's own address.
"""

import hashlib
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra import configuration, template
from infra.edge import association, secret
from infra.edge.stacks import CopiesLeft, EdgeStack
from infra.edge.viewer_address import HEADER, is_believed, withdraw
from infra.failed import DeployError
from infra.template import Template

REGION = "us-east-1"
CERTIFICATE = re.compile(r"arn:[a-z-]+:acm:us-east-1:\d{12}:certificate/.+")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
DISTRIBUTION, ORIGIN = (Path(__file__).with_name(f"{name}.yaml") for name in ("distribution", "origin"))
CLOUDFRONTS = "X-Amz-Cf-Id"
"""A header that every response of CloudFront has."""
ANSWERS_WITHIN_S = 10
PROPAGATES_S = 300
"""How long AWS WAF may take until a changed rule is in effect everywhere: minutes, as AWS says."""
REFUSALS = ("AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "OptInRequired")
"""What AWS says where a region is closed to the credentials, as by an organization's policy."""
PARTITION = "aws"
"""Credentials of another one, GovCloud's or China's, are unknown in the region of CloudFront."""


class NotSeen(DeployError):
    """AWS doesn't let these credentials look for CloudFront."""


class Front:
    """What stands in front of one stage. `say` is called with what is done, as it is done."""

    def __init__(self, stage: str, say: Any) -> None:
        """Call nothing yet."""
        region = str(boto3.session.Session().region_name)
        self._stage, self._region, self._say = stage, region, say
        # A stage may be in several regions, and all their distributions are in this one.
        self.distribution = EdgeStack(f"latchkey-{stage}-edge-{region}", REGION, say)
        self.origin = EdgeStack(f"latchkey-{stage}-origin", region, say)

    def is_closed(self, api_id: str | None) -> bool:
        """Return whether the API that is deployed, None where none is, answers CloudFront alone."""
        return association.closes(self.origin.described(), api_id) and not association.is_open(self._stage, api_id)

    def check(self) -> None:
        """Raise DeployError, with what to do, where one of the stacks can't be changed now."""
        self.distribution.check()
        self.origin.check()

    def put(self, domain: str, certificate: str, api: dict[str, str], boundary: str = "") -> bool:
        """Bring CloudFront in front of an API and then, once the domain leads there, close the API to everybody else.

        Finishes a rotation of the secret that was begun: the API accepts both secrets before CloudFront sends the next
        one, and the next one alone afterwards. Returns whether the API is closed.
        """
        now, pending = secret.current(self._stage), secret.pending(self._stage)
        then = pending or now
        if then != now and self.origin.output("RestApiId") == api["rest_api_id"]:
            self._say(f"Letting through both secrets, and waiting {PROPAGATES_S // 60} minutes until AWS WAF does …")
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
        is_closed = self.is_closed(api["rest_api_id"]) or leads_to_cloudfront(domain)
        if is_closed:
            self._say("Closing the API's own address to everybody but CloudFront …")
            self._close(api, then)
        else:
            target = self.distribution.output("DistributionHost")
            self._say(
                f"CloudFront answers at {target}, but {domain} doesn't lead there yet, so the API's own address stays"
                f" open. Point the domain's DNS at {target} (CNAME, or an alias record), then run this again."
            )
        if pending:
            secret.end(self._stage)
        return is_closed

    def target(self, domain: str) -> str:
        """Return what the DNS of the domain must be pointed at; "" where it leads to CloudFront already."""
        return "" if leads_to_cloudfront(domain) else self.distribution.output("DistributionHost")

    def rotate(self, api: dict[str, str], boundary: str = "") -> None:
        """Exchange the secret, without a moment in which a request of CloudFront's is refused."""
        made = self.distribution.parameters()
        if not made:
            raise DeployError(f"No CloudFront is in front of {self._stage}: make deploy STAGE={self._stage} EDGE=1 …")
        self.check()
        secret.begin(self._stage)
        self.put(made["Domain"], made["Certificate"], api, boundary)

    def _close(self, api: dict[str, str], shown: str, *, also: str = "") -> None:
        """Close an API to everybody who doesn't show the secret, or another one that is accepted besides."""
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
        """Return what `put` would do."""
        return f"The edge: {self.distribution.planned()}; then {self.origin.planned()}."

    def status(self, api_id: str | None) -> list[str]:
        """Return how the two stacks stand and, for each that failed or is being changed, what to do about it."""
        origin, stack = self.origin.described(), None
        again = f"make deploy STAGE={self._stage} EDGE=1 DOMAIN=… CERTIFICATE=…"
        closes = association.closes(origin, api_id)
        is_open = association.is_open(self._stage, api_id) if closes else True
        try:
            stack = self._look()
            state = self._state(stack, is_closed=not is_open)
        except NotSeen as error:
            state = str(error)
        both = ((self.distribution, stack), (self.origin, origin))
        remedies = [one.remedy(each["StackStatus"], again) for one, each in both if each is not None]
        remedies.append(association.remedy(again) if closes and is_open else "")
        return [state, *filter(None, remedies)]

    def _state(self, stack: dict[str, Any] | None, *, is_closed: bool) -> str:
        missing = f"{self.distribution.name} is missing, and the API's own address is closed to all but CloudFront"
        if stack is None:
            return missing if is_closed else "none"
        to_whom = "closed to all but CloudFront" if is_closed else "open"
        unfinished = f"; its secret is being exchanged: make rotate-edge STAGE={self._stage} finishes"
        state = f"{self.distribution.name}: {stack['StackStatus']}; the API's own address is {to_whom}"
        return state + (unfinished if secret.pending(self._stage) else "")

    def delete(self) -> str:
        """Delete both stacks where they are; return what is left and what to do about it, "" when nothing is.

        CloudFront goes first, then the functions' belief in its header, and what closes the API last: nobody reaches
        the API with a header of their own, also where what follows fails.
        """
        left = ""
        if self._is_there():
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

    def _is_there(self) -> bool:
        """Return whether there is a distribution to delete; raise DeployError where there may be, but AWS won't say."""
        try:
            return self._look() is not None
        except NotSeen as error:
            if is_believed(self._stage) or self.origin.described() is not None:
                raise DeployError(
                    f"{error} The stage is set up for it, so nothing was removed: run this again with credentials that"
                    f" may call CloudFormation in {REGION}."
                ) from error
            self._say(f"{error} The stage isn't set up for it, so going on.")
            return False

    def _look(self) -> dict[str, Any] | None:
        """Return the stack of the distribution, None where there is none; raise NotSeen where AWS refuses to say."""
        if _partition(self._region) != PARTITION:
            return None
        try:
            return self.distribution.described()
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSALS:
                raise
            raise NotSeen(f"Could not look for CloudFront in {REGION}: {str(error).rstrip('.')}.") from error
        except BotoCoreError as error:
            raise NotSeen(f"Could not look for CloudFront in {REGION}: {str(error).rstrip('.')}.") from error


def check(stage: str, domain: str, certificate: str) -> None:
    """Raise DeployError, with what to give or to set, for what an edge can't be made with."""
    region = boto3.session.Session().region_name
    if region is not None and _partition(region) != PARTITION:
        raise DeployError(f"EDGE=1 isn't made for {region}: CloudFront takes it from {REGION}, another partition.")
    if not DOMAIN.fullmatch(domain) or not CERTIFICATE.fullmatch(certificate):
        raise DeployError(
            f"EDGE=1 takes a domain and its certificate of {REGION}: make deploy STAGE={stage} EDGE=1"
            f" DOMAIN=api.example.com CERTIFICATE=arn:aws:acm:{REGION}:123456789012:certificate/…"
        )
    wanted = {"LATCHKEY_PUBLIC_URL": f"https://{domain}", "LATCHKEY_CLIENT_IP_HEADER": HEADER}
    if any(configuration.setting(stage, name) != value for name, value in wanted.items()):
        told = " and ".join(f'"{name}": "{value}"' for name, value in wanted.items())
        raise DeployError(f"EDGE=1 needs {told} in .chalice/config.json, stages.{stage}.environment_variables.")


def distribution() -> Template:
    """Return the template of the distribution, with the version of the edge function named after its code."""
    wanted = template.read(DISTRIBUTION)
    code = wanted["Resources"]["Renames"]["Properties"]["Code"]["ZipFile"]
    wanted["Resources"]["RenamesVersion"]["Properties"]["Description"] = hashlib.sha256(code.encode()).hexdigest()
    return wanted


def leads_to_cloudfront(domain: str) -> bool:
    """Return whether a request to the domain is answered by CloudFront, whatever it answers."""
    try:
        with urllib.request.urlopen(f"https://{domain}/health", timeout=ANSWERS_WITHIN_S) as response:
            return CLOUDFRONTS in response.headers
    except urllib.error.HTTPError as error:
        return CLOUDFRONTS in error.headers
    except OSError:
        return False


def _partition(region: str) -> str:
    """Return the partition of a region: `aws`, `aws-us-gov`, `aws-cn`."""
    return str(boto3.session.Session().get_partition_for_region(region))
