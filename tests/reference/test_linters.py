"""The OpenAPI document passes redocly and spectral."""

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
def test_linter_has_no_findings(name: str, tmp_path: Path) -> None:
    """The recommended rules of each linter report no error and no warning."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document(app.routes, "https://api.latchkey.test")))
    assert LINTERS[name](file) == []


@pytest.mark.parametrize("name", exhaustive.after(1, [*LINTERS]))
def test_linter_finds_an_undeclared_parameter(name: str, tmp_path: Path) -> None:
    """An undeclared path parameter is reported, which shows that the rules run."""
    whole = document(app.routes, "https://api.latchkey.test")
    del whole["paths"]["/v1/keys/{key_id}"]["get"]["parameters"]
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(whole))
    assert LINTERS[name](file) != []
