"""`make package EDGE=1` writes both edge templates into the package's folder, and a page about their parameters."""

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
    """A checkout whose package is empty."""
    path = tmp_path / "checkout"
    path.mkdir()
    return copied(path, is_light=True, AWS_DEFAULT_REGION=REGION)


def commands(page: str) -> list[list[str]]:
    """Return the commands on a page, split into words."""
    return [shlex.split(block) for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]


def test_packaged_edge_templates_equal_deployed_ones(tmp_path: Path) -> None:
    """The packaged edge templates equal the templates that `make deploy` uses."""
    folder = package.write("prod", tmp_path, domain=DOMAIN, certificate=CERTIFICATE).parent
    assert {file.name for file in folder.iterdir()} == {"distribution.yaml", "origin.yaml", "README.md"}
    assert template.read(folder / "distribution.yaml") == front.distribution()
    assert template.read(folder / "origin.yaml") == template.read(front.ORIGIN)


def test_page_gives_and_explains_every_parameter(tmp_path: Path) -> None:
    """The page's commands pass every required parameter, and its tables describe all parameters."""
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


def test_package_has_the_edge_only_with_the_option(checkout: Checkout, tmp_path: Path) -> None:
    """The edge templates are written only with `--edge`, and the command then prints the path of the page."""
    for more, made in (((), set()), (("--edge",), {"edge"})):
        said = checkout.succeeds("package", "dev", "--out", str(tmp_path / "out"), *more)
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"sam.yaml", "deployment.zip", *made}
        assert (f"{tmp_path}/out/edge/README.md" in said) == bool(made)
        assert "Warning" not in said


def test_package_that_trusts_the_header_warns(checkout: Checkout, tmp_path: Path) -> None:
    """`make package` warns that a package whose functions trust the header must be deployed to a closed API only."""
    file = checkout.path / ".chalice" / "config.json"
    whole = json.loads(file.read_text())
    whole["stages"]["dev"]["environment_variables"] |= SETTINGS
    file.write_text(json.dumps(whole))
    for more, where in (((), "make package EDGE=1"), (("--edge",), "edge/README.md")):
        said = checkout.succeeds("package", "dev", "--out", str(tmp_path / "out"), *more)
        (warned,) = (line for line in said.splitlines() if line.startswith("Warning"))
        assert "latchkey-dev-origin closes the API" in warned
        assert where in warned
