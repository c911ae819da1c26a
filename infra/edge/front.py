"""`make deploy EDGE=1`: CloudFront in front of a stage, and the API's own address closed to everybody else.

Nothing is closed before the domain leads to CloudFront, and the header with the client address is believed only when
everything is: before that anybody could send it to the API's own address.
"""

import hashlib
import re
import secrets
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from infra import deployed, template
from infra.edge.stacks import WHOLE, CopiesLeft, EdgeStack
from infra.edge.viewer_address import HEADER, setting
from infra.failed import DeployError
from infra.template import Template

REGION = "us-east-1"
CERTIFICATE = re.compile(r"arn:[a-z-]+:acm:us-east-1:\d{12}:certificate/.+")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
DISTRIBUTION, ORIGIN = (Path(__file__).with_name(f"{name}.yaml") for name in ("distribution", "origin"))
CLOUDFRONTS = "X-Amz-Cf-Id"
"""A header that every response of CloudFront has."""
ANSWERS_WITHIN_S = 10


class Front:
    """What stands in front of one stage. `say` is called with what is done, as it is done."""

    def __init__(self, stage: str, say: Any) -> None:
        """Call nothing yet."""
        region = str(boto3.session.Session().region_name)
        self._stage, self._region, self._say = stage, region, say
        # A stage may be in several regions, and all their distributions are in this one.
        self.distribution = EdgeStack(f"latchkey-{stage}-edge-{region}", REGION, say)
        self.origin = EdgeStack(f"latchkey-{stage}-origin", region, say)

    def is_closed(self) -> bool:
        """Return whether the API that is deployed answers CloudFront alone."""
        stack = self.origin.described()
        is_whole = stack is not None and stack["StackStatus"] in WHOLE
        closed = self.origin.output("RestApiId")
        return is_whole and closed == (deployed.api_of(self._stage) or {}).get("rest_api_id")

    def put(self, domain: str, certificate: str, api: dict[str, str]) -> bool:
        """Bring CloudFront in front of an API and then, once the domain leads there, close the API to everybody else.

        Returns whether it is closed.
        """
        secret, api_stage = put_secret(self._stage), deployed.gateway_stage(self._stage)
        self._say(f"CloudFront for {domain}, in {REGION} (the first time about ten minutes) …")
        self.distribution.put(
            distribution(),
            {
                "Stage": self._stage,
                "ApiRegion": self._region,
                "ApiHost": str(urlsplit(api["rest_api_url"]).hostname),
                "ApiStage": api_stage,
                "Domain": domain,
                "Certificate": certificate,
                "Secret": secret,
            },
        )
        target = self.distribution.output("DistributionHost")
        if not self.is_closed() and not leads_to_cloudfront(domain):
            self._say(
                f"CloudFront answers at {target}, but {domain} doesn't lead there yet, so the API's own address stays"
                f" open. Point the domain's DNS at {target} (CNAME, or an alias record), then run this again."
            )
            return False
        self._say("Closing the API's own address to everybody but CloudFront …")
        closing = {"Stage": self._stage, "RestApiId": api["rest_api_id"], "ApiStage": api_stage, "Secret": secret}
        self.origin.put(template.read(ORIGIN), closing)
        return True

    def planned(self) -> str:
        """Return what `put` would do."""
        does = "brought up to date" if self.distribution.described() else "created"
        return f"The edge: {self.distribution.name} in {REGION} would be {does}, and then {self.origin.name}."

    def status(self) -> str:
        """Return how the two stacks stand."""
        stack = self.distribution.described()
        if stack is None:
            return "none"
        to_whom = "closed to all but CloudFront" if self.is_closed() else "open"
        return f"{self.distribution.name}: {stack['StackStatus']}; the API's own address is {to_whom}"

    def delete(self) -> str:
        """Delete both stacks where they are; return what is left and what to do about it, "" when nothing is.

        CloudFront goes first: until the API is open again to everybody, nobody reaches it with a header of their own.
        """
        left = ""
        if self.distribution.described() is not None:
            self._say(f"Deleting CloudFront, in {REGION} (about ten minutes) …")
            try:
                self.distribution.delete()
            except CopiesLeft as error:
                left = f"{error} Everything else is removed; run this again tomorrow, which finishes."
        self.origin.delete()
        boto3.client("ssm").delete_parameters(Names=[secret_name(self._stage)])
        return left


def check(stage: str, domain: str, certificate: str) -> None:
    """Raise DeployError, with what to give or to set, for what an edge can't be made with."""
    if not DOMAIN.fullmatch(domain) or not CERTIFICATE.fullmatch(certificate):
        raise DeployError(
            f"EDGE=1 takes a domain and its certificate of {REGION}: make deploy STAGE={stage} EDGE=1"
            f" DOMAIN=api.example.com CERTIFICATE=arn:aws:acm:{REGION}:123456789012:certificate/…"
        )
    wanted = {"LATCHKEY_PUBLIC_URL": f"https://{domain}", "LATCHKEY_CLIENT_IP_HEADER": HEADER}
    if any(setting(stage, name) != value for name, value in wanted.items()):
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


def secret_name(stage: str) -> str:
    """Return the name of the SSM parameter that holds what CloudFront shows the API."""
    return f"/latchkey/{stage}/edge"


def put_secret(stage: str) -> str:
    """Return what CloudFront shows the API; made at the first call, and kept."""
    ssm = boto3.client("ssm")
    with suppress(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(
            Name=secret_name(stage),
            Value=secrets.token_urlsafe(32),
            Type="SecureString",
            Description="Latchkey: what CloudFront shows the API",
            Overwrite=False,
        )
    return str(ssm.get_parameter(Name=secret_name(stage), WithDecryption=True)["Parameter"]["Value"])
