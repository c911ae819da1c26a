"""Measure requests over one persistent connection to a local server. The argument selects `latchkey` or `stock`.

`latchkey` is the server of `make run`; `stock` is Chalice's own local server, with the same app, database and route.
Both servers log every request; the output is discarded.
"""

import http.client
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from chalicelib.limits.tiers import ENTERPRISE
from infra import engine
from infra.bench import latchkey
from infra.bench.contender import Work, serve

HOST = "127.0.0.1"
STARTS_WITHIN_S = 30
ROOT = Path(__file__).parents[3]


def main() -> None:
    """Measure requests, or run the server when the arguments include a port."""
    if len(sys.argv) > 2:
        _run_server(sys.argv[1], int(sys.argv[2]))
        return
    with latchkey.ready():
        secrets = [caller.secret for caller in latchkey.callers(ENTERPRISE, 5)]
    port = engine.free_port()
    command = [sys.executable, "-m", __spec__.name, sys.argv[1], str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            connection = _connect(port)

            def operate(number: int) -> bool:
                authorization = f"Bearer {secrets[number % len(secrets)]}"
                connection.request("GET", "/v1/limits", headers={"Authorization": authorization})
                response = connection.getresponse()
                response.read()
                return response.status == 200

            serve(Work(operate, works_here=False))
        finally:
            server.terminate()


def _run_server(kind: str, port: int) -> None:
    from app import app

    server: Any
    if kind == "latchkey":
        from infra.server import Server

        server = Server(app, HOST, port)
    else:
        from chalice.cli.factory import CLIFactory
        from chalice.local import create_local_server

        config = CLIFactory(str(ROOT)).create_config_obj(chalice_stage_name="dev")
        server = create_local_server(app, config, HOST, port)
    server.serve_forever()


def _connect(port: int) -> http.client.HTTPConnection:
    """Return an open connection to the server, after waiting for the server to start."""
    give_up = time.monotonic() + STARTS_WITHIN_S
    while True:
        connection = http.client.HTTPConnection(HOST, port)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return connection


if __name__ == "__main__":
    main()
