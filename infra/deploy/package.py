"""`make package`: write a SAM template with service and data, which the operator deploys with their own pipeline."""

import shlex
import tempfile
from pathlib import Path

from infra import chalice_cli, deployed, template
from infra.deploy import app_check, gateway_stage, settings
from infra.deploy.chalice_commands import chalice, environment
from infra.deploy.output import say
from infra.edge import package as edge_package
from infra.edge import viewer_address
from infra.failed import DeployError, one_line, quoted

FUNCTIONS = {
    "APIHandler" if name == deployed.API else name.capitalize(): end for name, end in deployed.FUNCTIONS.items()
}
"""The suffixes of the functions' names, by the functions' logical ids in Chalice's template."""


def package(stage: str, out: Path, *, edge: tuple[str, str] | None = None) -> None:
    """Write a SAM template with service and data and, if requested, the templates of the edge stacks beside it."""
    settings.check_settings(stage)
    app_check.check_app(stage, is_packaged=True)
    text = template.as_text(beside_the_service(stage))
    out = _writable(out, edge_package.FILES if edge else ())
    say(f"Packaging {stage} (chalice package) …")
    with environment(**{chalice_cli.WITH_DATA: "1"}), tempfile.TemporaryDirectory() as beside:
        data = Path(beside, "data.json")
        data.write_text(text)
        # Pass an absolute path, because a relative path that begins with a dash would be parsed as an option.
        chalice("package", stage, "--merge-template", str(data), "--template-format", "yaml", str(out.absolute()))
    megabytes = (out / "deployment.zip").stat().st_size / 1e6
    deploys = f"sam deploy -t {shlex.quote(f'{out}/sam.yaml')} --guided --capabilities CAPABILITY_NAMED_IAM"
    say(f"{out}/sam.yaml and {out}/deployment.zip ({megabytes:.1f} MB). Then: {deploys}")
    say("The first time, with --parameter-overrides Protection=off added: else AWS can't undo a deployment that fails.")
    say("Then again, and always from then on, with Protection=on: it protects the tables from deletion.")
    page = "make package EDGE=1 says how."
    if edge:
        page = str(edge_package.write(stage, out, domain=edge[0], certificate=edge[1]))
        say(f"CloudFront in front of it, as two stacks with what to give them, and when: {page}")
    if viewer_address.is_believed(stage):
        say(edge_package.warning(stage, page))


def _writable(out: Path, more: tuple[str, ...]) -> Path:
    """Return the path of the output folder, after creating it if necessary. Raises DeployError if it isn't writable."""
    try:
        out = out.expanduser()
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
        for file in (out / name for name in ("sam.yaml", "deployment.zip", *more)):
            if file.parent.is_dir() and file.exists():
                file.open("ab").close()
            elif file.parent.exists() and not file.parent.is_dir():
                raise NotADirectoryError(None, "Not a directory", str(file.parent))
    except (OSError, RuntimeError) as error:  # expanduser raises RuntimeError for a user without a home directory
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise DeployError(
            f"OUT takes a folder to write into; {quoted(str(out))} is not one ({one_line(why)}). Choose another one."
        ) from error
    return out


def beside_the_service(stage: str) -> template.Template:
    """Return the template that is merged with Chalice's: a stage's data, and settings that Chalice can't express.

    The functions have the same names as with `chalice deploy`, because log groups, alarms and policies contain these
    names. The API has throttling and access logs; OpenApiVersion 2.0 prevents SAM from creating a second stage.
    """
    whole = template.composed(settings.mail_from(stage))
    whole["Parameters"]["Stage"]["Default"] = stage
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${AccessLogs}"
    bound = {
        "ResourcePath": "/*",
        "HttpMethod": "*",
        "ThrottlingRateLimit": gateway_stage.RATE_LIMIT,
        "ThrottlingBurstLimit": gateway_stage.BURST_LIMIT,
        "MetricsEnabled": False,
    }
    api = {
        "OpenApiVersion": "2.0",
        "TracingEnabled": True,
        "MethodSettings": [bound],
        "AccessLogSetting": {"DestinationArn": {"Fn::Sub": group}, "Format": gateway_stage.ACCESS_LOG},
    }
    added = {"RestAPI": {"Properties": api}}
    for logical, end in FUNCTIONS.items():
        added[logical] = {"Properties": {"FunctionName": f"latchkey-{stage}{end}"}}
    return whole | {"Resources": whole["Resources"] | added}
