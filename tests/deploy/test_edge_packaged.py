"""`make package EDGE=1`: both templates of the edge beside the package, and a page with all that they must be given."""

import json
import re
import shlex
from pathlib import Path

import pytest

from infra import template
from infra.edge import front, package
from tests.deploy.checkout import Checkout, copied
from tests.deploy.cloud_requests import REGION
from tests.deploy.edge import CERTIFICATE, DOMAIN, SETTINGS

pytestmark = pytest.mark.xdist_group("edge")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout that packages nothing of weight."""
    path = tmp_path / "checkout"
    path.mkdir()
    return copied(path, is_light=True, AWS_DEFAULT_REGION=REGION)


def commands(page: str) -> list[list[str]]:
    """Return the commands of a page, in words."""
    return [shlex.split(block) for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]


def test_templates_are_those_of_make_deploy(tmp_path: Path) -> None:
    """The version of the edge function is named after its code, as there."""
    folder = package.write("prod", tmp_path, domain=DOMAIN, certificate=CERTIFICATE).parent
    assert {file.name for file in folder.iterdir()} == {"distribution.yaml", "origin.yaml", "README.md"}
    assert template.read(folder / "distribution.yaml") == front.distribution()
    assert template.read(folder / "origin.yaml") == template.read(front.ORIGIN)


def test_page_gives_each_stack_what_it_needs_and_explains_every_parameter(tmp_path: Path) -> None:
    """Under the names that `make status` and `make rotate-edge` look for, each in its region."""
    page = package.write("prod", tmp_path, domain=DOMAIN, certificate=CERTIFICATE).read_text()
    deploying = [words for words in commands(page) if words[:3] == ["aws", "cloudformation", "deploy"]]
    named = [words[words.index("--stack-name") + 1] for words in deploying]
    assert named == ["latchkey-prod-edge-eu-central-1", "latchkey-prod-origin"]
    assert ["--region" in words for words in deploying] == [True, False]
    for words in deploying:
        declared = template.read(Path(words[words.index("--template-file") + 1]))["Parameters"]
        given = dict(word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])
        assert given.keys() == {name for name, each in declared.items() if "Default" not in each}
        assert given["Secret"] == "$SECRET"
        assert all(f"| `{name}` | {each.get('Description', 'dev')}" in page for name, each in declared.items())
        for name in given.keys() & {"ApiHost", "Certificate", "Domain", "RestApiId"}:
            assert re.fullmatch(declared[name].get("AllowedPattern", ".+"), given[name])
    assert f"Domain={DOMAIN}" in deploying[0]


def test_package_has_the_edge_beside_it_only_where_it_is_asked_for(checkout: Checkout, tmp_path: Path) -> None:
    """Domain and certificate may be given later; and the command names the page."""
    for more, made in (((), set()), (("--edge",), {"edge"})):
        said = checkout.succeeds("package", "dev", "--out", str(tmp_path / "out"), *more)
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"sam.yaml", "deployment.zip", *made}
        assert (f"{tmp_path}/out/edge/README.md" in said) == bool(made)
        assert "Warning" not in said


def test_package_that_believes_the_header_says_when_it_may_be_deployed(checkout: Checkout, tmp_path: Path) -> None:
    """A pipeline closes nothing by itself, so the package can't know whether the API is closed."""
    file = checkout.path / ".chalice" / "config.json"
    whole = json.loads(file.read_text())
    whole["stages"]["dev"]["environment_variables"] |= SETTINGS
    file.write_text(json.dumps(whole))
    for more, where in (((), "make package EDGE=1"), (("--edge",), "edge/README.md")):
        said = checkout.succeeds("package", "dev", "--out", str(tmp_path / "out"), *more)
        (warned,) = (line for line in said.splitlines() if line.startswith("Warning"))
        assert "latchkey-dev-origin closes the API" in warned
        assert where in warned
