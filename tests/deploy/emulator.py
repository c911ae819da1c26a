"""The packaged stack in ministack, whose API Gateway, Lambda and DynamoDB run the output of `make package`.

ministack has a separate virtual environment, because it needs other versions of botocore. AWS's translator, which it
contains, expands the SAM template.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from chalicelib.core import settings
from infra import engine, gateway, pinned

ACCOUNT = "123456789012"
"""The account id, which is also the access key id, because ministack reads the account id from the access key id."""
REGION = "us-east-1"
STAGE = "dev"
STARTS_WITHIN_S = 60
TIMEOUT_S = 60
"""The timeout of a call in seconds, long enough for a cold start on a busy machine."""
_AWS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "emulated", "AWS_DEFAULT_REGION": REGION}


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a process calls the emulator."""
        return {**_AWS, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str) -> Any:
        """Return a client of an AWS service in the emulator."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key=_AWS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def running(log: Path) -> Iterator[Emulator]:
    """Run an empty emulator during a `with` block."""
    programs = pinned.python_programs("emulator")
    port = engine.free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_"))}
    own = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_ACCOUNT_ID": ACCOUNT}
    with log.open("wb") as written:
        # Functions get the emulator's environment, so its home is a separate folder instead of the developer's.
        process = subprocess.Popen(
            [str(programs / "python"), "-m", "ministack"],
            env={**kept, **_AWS, **own, "HOME": str(log.parent)},
            stdout=written,
            stderr=written,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/_ministack/health", process, log)
            yield Emulator(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)


def create_stack(emulator: Emulator, package: Path) -> str:
    """Create the packaged stack and return the URL of its stage, which is set as the functions' public URL.

    Like an operator's pipeline, this uploads the code to S3 first. The emulator also needs gateway responses
    as resources, since it ignores those in the document, and a public URL, since it gives functions no `domainName`.
    """
    s3, cloudformation = emulator.client("s3"), emulator.client("cloudformation")
    s3.create_bucket(Bucket="code")
    s3.upload_file(str(package / "deployment.zip"), "code", "deployment.zip")
    template = (package / "sam.yaml").read_text()
    template = template.replace("CodeUri: ./deployment.zip", "CodeUri: s3://code/deployment.zip")
    s3.put_object(Bucket="code", Key="sam.yaml", Body=template.encode())
    cloudformation.create_stack(
        StackName="latchkey",
        TemplateURL=f"{emulator.url}/code/sam.yaml",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiting = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("stack_create_complete").wait(StackName="latchkey", WaiterConfig=waiting)
    stack = cloudformation.describe_stacks(StackName="latchkey")["Stacks"][0]
    api = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "RestAPIId")
    url = f"{emulator.url}/_aws/execute-api/{api}/api"
    _tell_functions(emulator, url)
    _put_gateway_responses(emulator, api, url)
    return url


def _tell_functions(emulator: Emulator, url: str) -> None:
    functions = emulator.client("lambda")
    for name in (f"latchkey-{STAGE}", f"latchkey-{STAGE}-authorizer"):
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables["LATCHKEY_PUBLIC_URL"] = url
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def _put_gateway_responses(emulator: Emulator, api: str, url: str) -> None:
    gateways = emulator.client("apigateway")
    with settings.override(settings.Settings(public_url=url)):
        responses = gateway.as_extension()
    for kind, response in responses.items():
        gateways.put_gateway_response(restApiId=api, responseType=kind, **response)
    gateways.create_deployment(restApiId=api, stageName="api")


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < give_up:
        try:
            requests.get(url, timeout=30)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"The emulator didn't start: {log.read_text()[-2000:]}")
