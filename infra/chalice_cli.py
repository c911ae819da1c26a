"""What Chalice's own commands learn from us, so that they are right without a wrapper.

`deploy` and `package`: the gateway's answers in the API document, and a package of exactly the files that
`requirements.txt` pins, without what Lambda has or nobody uses.
`local`: the stand-in gateway instead of Chalice's.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import click
from chalice import local
from chalice.app import DynamoDBEventConfig
from chalice.config import Config
from chalice.deploy.packager import BaseLambdaDeploymentPackager, MissingDependencyError, PipRunner
from chalice.deploy.swagger import SwaggerGenerator

from chalicelib.core import settings
from infra import background, deployed, gateway, server, stage_key, whole

UNSHIPPED = ("boto3", "botocore", "s3transfer", "*.dist-info", "*.data", "**/tests", "**/__pycache__")
"""What pip brings along and the package leaves out. The first three are Lambda's own, which AWS keeps up to date, and
two thirds of what a cold start would fetch; the rest is for installing and developing, and read by nothing here."""

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"

WITH_DATA = "PACKAGED_WITH_LATCHKEY_DATA"
"""Set for a package that the data template is merged into."""

_generate = SwaggerGenerator.generate_swagger
_add_dependencies = BaseLambdaDeploymentPackager._add_py_deps
_download_wheels = PipRunner.download_manylinux_wheels
_own_files = BaseLambdaDeploymentPackager._iter_chalice_lib_if_needed


def install(app: Any) -> None:
    """Teach Chalice's command line; loading the app again changes nothing more."""
    _name_the_stream(app)
    SwaggerGenerator.generate_swagger = _generate_with_gateway  # type: ignore[method-assign]  # Chalice has no hook
    PipRunner.download_manylinux_wheels = _download_pinned_wheels  # type: ignore[method-assign]  # as above
    BaseLambdaDeploymentPackager._build_python_dependencies = _build_whole  # type: ignore[method-assign]  # as above
    BaseLambdaDeploymentPackager._add_py_deps = _add_what_is_used  # type: ignore[method-assign]  # as above
    BaseLambdaDeploymentPackager._iter_chalice_lib_if_needed = _own_sources  # type: ignore[method-assign]  # as above
    local.create_local_server = create_local_server  # type: ignore[assignment]  # as above


def create_local_server(app: Any, _config: Config, host: str, port: int) -> server.Server:
    """Return the server that `chalice local` runs."""
    prepare_environment(f"http://{host}:{port}")
    settings.current()  # one that can't be used ends it here, not at the first request
    if _has_local_engine():
        background.start()
    return server.Server(app, host, port)


def prepare_environment(public_url: str) -> None:
    """Set what a local run needs: its URL and, with a local engine, that engine's stage and no real AWS account."""
    if not os.environ.get("LATCHKEY_PUBLIC_URL"):
        os.environ["LATCHKEY_PUBLIC_URL"] = public_url
    if _has_local_engine():
        os.environ["LATCHKEY_STAGE"] = "local"
        os.environ["LATCHKEY_KEY_KIND"] = "test"
        # botocore signs every call; a local engine takes any name.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        os.environ.setdefault("LATCHKEY_STAGE_KEY_FILE", str(stage_key.local_file()))


def _has_local_engine() -> bool:
    engine = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL", "")
    return urlsplit(engine).hostname in ("127.0.0.1", "localhost", "::1")


def _name_the_stream(app: Any) -> None:
    """Give the function on the stream of events its stream, which the data stack has made.

    `deploy` asks the data stack; in a package CloudFormation is told to. Every other command leaves it unnamed.
    """
    command = next((word for word in sys.argv[1:] if word in ("deploy", "package")), None)
    if command is None:
        return
    stage = _stage_of(sys.argv)
    arn: Any = {"Fn::ImportValue": f"latchkey-{stage}-events-stream"}
    if command == "deploy":
        arn = deployed.events_stream(stage)
    elif WITH_DATA in os.environ:
        arn = {"Fn::GetAtt": ["Events", "StreamArn"]}
    for source in app.event_sources:
        if isinstance(source, DynamoDBEventConfig):
            source.stream_arn = arn


def _stage_of(words: list[str]) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--stage":
            return following
        if word.startswith("--stage="):
            return word.removeprefix("--stage=")
    return "dev"


def _generate_with_gateway(self: SwaggerGenerator, app: Any, rest_api: Any = None) -> dict[str, Any]:
    document: dict[str, Any] = _generate(self, app, rest_api)
    gateway.add_to(document)
    return document


def _download_pinned_wheels(
    self: PipRunner, abi: str, packages: list[str], directory: str, platforms: list[str] | None = None
) -> None:
    """Download the wheels for Lambda's processor, and refuse one whose hash `requirements.txt` doesn't have.

    Chalice names them to pip by version alone, so pip can't check them itself.
    """
    _download_wheels(self, abi, packages, directory, platforms)
    check_hashes(Path(directory), REQUIREMENTS.read_text())


def check_hashes(downloads: Path, requirements: str) -> None:
    """Raise ClickException, for Chalice to print, when a file in `downloads` has no hash in `requirements`."""
    pinned = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirements))
    for file in sorted(downloads.iterdir()):
        if hashlib.sha256(file.read_bytes()).hexdigest() not in pinned:
            raise click.ClickException(
                f"{file.name} is not a file that requirements.txt pins, so nothing was packaged."
                " If the pins are out of date, `make lock` writes them anew."
            )


def _build_whole(
    self: BaseLambdaDeploymentPackager, python_version: str, requirements_filepath: str, site_packages_dir: str
) -> None:
    """Install the dependencies, or raise ClickException before there is a package: Chalice would go on without some."""
    abi = self._RUNTIME_TO_ABI[python_version]
    try:
        self._dependency_builder.build_site_packages(abi, requirements_filepath, site_packages_dir)
    except MissingDependencyError as error:
        missing = sorted(str(package.identifier) for package in error.missing)
        raise whole.refused([f"no wheel of {package} came" for package in missing]) from error
    whole.check(
        Path(site_packages_dir),
        Path(requirements_filepath).read_text(),
        architecture=self._architecture,
        python=python_version,
    )


def _add_what_is_used(
    self: BaseLambdaDeploymentPackager, zip_fileobj: ZipFile, deps_dir: str, prefix: str = ""
) -> None:
    """Add the dependencies, which stand in a directory that Chalice made for this alone."""
    for pattern in UNSHIPPED:
        for unneeded in sorted(Path(deps_dir).glob(pattern)):
            shutil.rmtree(unneeded, ignore_errors=True)  # a cache may have gone with its package
    _add_dependencies(self, zip_fileobj, deps_dir, prefix)


def _own_sources(self: BaseLambdaDeploymentPackager, project_dir: str) -> Iterator[tuple[str, str]]:
    """Return the files of chalicelib without caches, which would also make the same code another package each time."""
    for path, name in _own_files(self, project_dir):
        if "__pycache__" not in Path(name).parts:
            yield path, name
