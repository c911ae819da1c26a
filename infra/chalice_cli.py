"""What Chalice's own commands learn from us, so that they are right without a wrapper.

`deploy` and `package`: the gateway's answers in the API document. `local`: the stand-in gateway instead of Chalice's.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from chalice import local
from chalice.config import Config
from chalice.deploy.swagger import SwaggerGenerator

from infra import gateway, server

_generate = SwaggerGenerator.generate_swagger


def install(_app: Any) -> None:
    """Teach Chalice's command line; loading the app again changes nothing more."""
    SwaggerGenerator.generate_swagger = _generate_with_gateway  # type: ignore[method-assign]  # Chalice has no hook
    local.create_local_server = create_local_server  # type: ignore[assignment]  # as above


def create_local_server(app: Any, _config: Config, host: str, port: int) -> server.Server:
    """Return the server that `chalice local` runs."""
    prepare_environment(f"http://{host}:{port}")
    return server.Server(app, host, port)


def prepare_environment(public_url: str) -> None:
    """Set what a local run needs: its URL and, with a local engine, that engine's stage and no real AWS account."""
    if not os.environ.get("LATCHKEY_PUBLIC_URL"):
        os.environ["LATCHKEY_PUBLIC_URL"] = public_url
    engine = os.environ.get("AWS_ENDPOINT_URL_DYNAMODB") or os.environ.get("AWS_ENDPOINT_URL", "")
    if urlsplit(engine).hostname in ("127.0.0.1", "localhost", "::1"):
        os.environ["LATCHKEY_STAGE"] = "local"
        os.environ["LATCHKEY_KEY_KIND"] = "test"
        # botocore signs every call; a local engine takes any name.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


def _generate_with_gateway(self: SwaggerGenerator, app: Any, rest_api: Any = None) -> dict[str, Any]:
    document: dict[str, Any] = _generate(self, app, rest_api)
    gateway.add_to(document)
    return document
