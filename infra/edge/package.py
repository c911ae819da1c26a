"""`make package EDGE=1`: write the templates of the edge stacks beside the packaged service, with instructions.

The stacks have the same names as with `make deploy`, so that `make status` and `make rotate-edge` find them.
"""

from pathlib import Path

from infra import configuration, template
from infra.edge.front import DISTRIBUTION, ORIGIN, REGION, distribution
from infra.edge.viewer_address import HEADER, SETTING

FOLDER = "edge"
PAGE = Path(__file__).with_name("package.md")
API, API_REGION = "abcde12345", "eu-central-1"
"""Placeholders for the API's id and region, which are known only after the service's deployment."""
FILES = (f"{FOLDER}/{DISTRIBUTION.name}", f"{FOLDER}/{ORIGIN.name}", f"{FOLDER}/README.md")
"""The files that are written into the folder of a package."""
UNVERSIONED = 'Description: ""'
"""The line in the template that is replaced by a description with a digest of the edge function's code."""


def write(stage: str, out: Path, *, domain: str, certificate: str) -> Path:
    """Write the templates and a page of instructions into a folder beside the package; return the page's path."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    digest = distribution()["Resources"]["RenamesVersion"]["Properties"]["Description"]
    versioned = DISTRIBUTION.read_text().replace(UNVERSIONED, f'Description: "{digest}"')
    (folder / DISTRIBUTION.name).write_text(versioned)
    (folder / ORIGIN.name).write_text(ORIGIN.read_text())
    page = folder / "README.md"
    page.write_text(_page(stage, folder, domain or "api.example.com", certificate or _any_certificate()))
    return page


def warning(stage: str, page: str) -> str:
    """Return a warning about the deployment of a package whose functions trust the client address header."""
    return (
        f"Warning: this package takes the client address from {HEADER}, which anybody could send until the stack"
        f" latchkey-{stage}-origin closes the API to all but CloudFront. Deploy it only then: {page}"
    )


def _page(stage: str, folder: Path, domain: str, certificate: str) -> str:
    given = {
        "Stage": stage,
        "ApiRegion": API_REGION,
        "ApiHost": f"{API}.execute-api.{API_REGION}.amazonaws.com",
        "RestApiId": API,
        "ApiStage": configuration.gateway_stage(stage),
        "Domain": domain,
        "Certificate": certificate,
        "Secret": '"$SECRET"',
    }
    front, origin = f"latchkey-{stage}-edge-{API_REGION}", f"latchkey-{stage}-origin"
    return PAGE.read_text().format(
        stage=stage,
        api=API,
        api_region=API_REGION,
        region=REGION,
        domain=domain,
        setting=SETTING,
        header=HEADER,
        front=front,
        origin=origin,
        deploy_front=_deploy_command(folder / DISTRIBUTION.name, front, given, f"--region {REGION}"),
        deploy_origin=_deploy_command(folder / ORIGIN.name, origin, given, ""),
        of_front=_parameters(DISTRIBUTION),
        of_origin=_parameters(ORIGIN),
    )


def _deploy_command(file: Path, stack: str, given: dict[str, str], where: str) -> str:
    """Return the AWS CLI command that creates or updates a stack, with all parameters that have no default."""
    declared = template.read(file)["Parameters"]
    overrides = " ".join(f"{name}={given[name]}" for name, each in declared.items() if "Default" not in each)
    words = (f"--stack-name {stack}", where, f"--template-file {file}", "--capabilities CAPABILITY_NAMED_IAM")
    lines = ("aws cloudformation deploy", *words, "--no-fail-on-empty-changeset", f"--parameter-overrides {overrides}")
    return " \\\n    ".join(line for line in lines if line)


def _parameters(file: Path) -> str:
    rows = [
        f"| `{name}` | {each.get('Description', 'dev or prod, as the service')} | {_default(each)} |"
        for name, each in template.read(file)["Parameters"].items()
    ]
    return "\n".join(("| parameter | what it is | default |", "|---|---|---|", *rows))


def _default(parameter: dict[str, object]) -> str:
    return f"`{parameter['Default']}`" if parameter.get("Default") else "empty" if "Default" in parameter else ""


def _any_certificate() -> str:
    return f"arn:aws:acm:{REGION}:123456789012:certificate/00000000-0000-0000-0000-000000000000"
