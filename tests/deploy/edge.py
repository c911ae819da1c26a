"""A stage behind CloudFront, and a fake response of its domain."""

import io
import json
import urllib.error
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from tests.deploy.checkout import Checkout
from tests.deploy.cloud import Cloud

DOMAIN = "api.example.com"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
EDGE = ("--edge", "--domain", DOMAIN, "--certificate", CERTIFICATE)
SETTINGS = {"LATCHKEY_PUBLIC_URL": f"https://{DOMAIN}", "LATCHKEY_CLIENT_IP_HEADER": "x-viewer-address"}
DISTRIBUTION, ORIGIN = "latchkey-dev-edge-us-east-1", "latchkey-dev-origin"


@dataclass
class World:
    """An account, a checkout with the edge's settings, and the response of the stage's domain."""

    cloud: Cloud
    checkout: Checkout
    leads_to: Message | None = None
    """The headers of the domain's response; None if the domain is unreachable."""
    asked: list[str] = field(default_factory=list)

    def answer(self, url: str, *, timeout: float) -> Any:
        """Respond as the host to which the domain's DNS points."""
        assert timeout
        self.asked.append(url)
        if self.leads_to is None:
            raise urllib.error.URLError("Name or service not known")
        raise urllib.error.HTTPError(url, 403, "Forbidden", self.leads_to, io.BytesIO())

    def configure(self, **variables: str) -> None:
        """Set environment variables of the stage in the configuration."""
        file = Path(self.checkout.path, ".chalice", "config.json")
        whole = json.loads(file.read_text())
        whole["stages"]["dev"]["environment_variables"] |= variables
        file.write_text(json.dumps(whole))

    def believes(self) -> str | None:
        """Return the name of the header from which the deployed API reads the client address.

        None or "" means that the API reads no header.
        """
        variables = self.cloud.functions()["latchkey-dev"]["Environment"]["Variables"]
        believed: str | None = variables.get("LATCHKEY_CLIENT_IP_HEADER")
        return believed


def headers(**named: str) -> Message:
    """Return headers in the type that `urllib` uses; `_` in a name means `-`."""
    message = Message()
    for name, value in named.items():
        message[name.replace("_", "-")] = value
    return message
