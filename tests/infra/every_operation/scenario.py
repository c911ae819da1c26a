"""The app and the recorder that all parts of the scenario share."""

import re
from dataclasses import dataclass

from infra.local_gateway.response import Response
from tests.infra.recorder import Recorder
from tests.support.console_client import Page
from tests.support.harness import TestApp


@dataclass
class Scenario:
    """Base class of the parts of the scenario. Each method can be run separately, and all methods share one app."""

    latchkey: TestApp
    recorder: Recorder

    def link(self) -> str:
        """Return path and query of the link in the newest email that has a link."""
        urls = [re.findall(r"https?://[^/\s]+(/\S+\?ticket=\S+)", email) for email in self.recorder.emails]
        return str([found[-1] for found in urls if found][-1])


def ok(*responses: Response | Page) -> None:
    """Assert that no response is an error."""
    for response in responses:
        body = response.body if isinstance(response, Response) else response.text
        assert response.status < 400, (response.status, body)
