"""The app and the recorder that all parts of the scenario share."""

import re
from dataclasses import dataclass

from infra.local_gateway.response import Response
from tests.infra.recorder import Recorder
from tests.support.console_client import Page
from tests.support.harness import TestApp


@dataclass
class Scenario:
    """A part of the scenario. Each method runs alone, on one app."""

    latchkey: TestApp
    recorder: Recorder

    def link(self) -> str:
        """Return the link in the newest letter that has one, as path and query."""
        urls = [re.findall(r"https?://[^/\s]+(/\S+\?ticket=\S+)", letter) for letter in self.recorder.letters]
        return str([found[-1] for found in urls if found][-1])


def ok(*answers: Response | Page) -> None:
    """Insist that every answer is one that was hoped for."""
    for answer in answers:
        told = answer.body if isinstance(answer, Response) else answer.text
        assert answer.status < 400, (answer.status, told)
