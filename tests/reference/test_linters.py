"""The document is one that other people's tools like to read."""

import json
from pathlib import Path

import pytest

from app import app
from chalicelib.api.openapi.document import document
from tests.reference import linters
from tests.support import exhaustive

pytestmark = pytest.mark.xdist_group("openapi linters")

LINTERS = {"redocly": linters.of_redocly, "spectral": linters.of_spectral}


@pytest.mark.parametrize("name", LINTERS)
def test_linter_finds_nothing(name: str, tmp_path: Path) -> None:
    """No error and no warning, by every rule that it recommends."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document(app.routes, "https://api.latchkey.test")))
    assert LINTERS[name](file) == []


@pytest.mark.parametrize("name", exhaustive.after(1, [*LINTERS]))
def test_linter_would_find_a_fault(name: str, tmp_path: Path) -> None:
    """A path parameter that isn't declared is found: the rules do run."""
    whole = document(app.routes, "https://api.latchkey.test")
    del whole["paths"]["/v1/keys/{key_id}"]["get"]["parameters"]
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(whole))
    assert LINTERS[name](file) != []
