"""The result of a smoke run in which something fails that no check expects."""

import contextlib
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from chalicelib.core.dynamodb import client as dynamodb
from infra.local_gateway.response import Response
from infra.smoke import contract
from infra.smoke.burst import Volley
from infra.smoke.command import ACCOUNT, NOT_MADE, OF_ACCOUNT, smoke
from infra.smoke.outcomes import DIFFERS, LEFT_OUT, OK, Outcomes
from infra.smoke.redaction import Redaction
from infra.smoke.run import UNANSWERED_MAX, Run
from infra.smoke.target import LOCAL, Target
from infra.smoke.throwaway import CLEANUP
from tests.support.threaded_server import ThreadedServer

Made = Callable[..., Run]


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that closes every connection at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A DynamoDB that denies all access to its tables."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            action = self.headers["X-Amz-Target"].partition(".")[2]
            denial = f"User: arn:aws:iam::123456789012:user/ada is not authorized to perform: dynamodb:{action} on …"
            said = {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": denial}
            body = json.dumps(said).encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-amz-crc32", str(zlib.crc32(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class named it
            pass

    server = ThreadedServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    dynamodb.reset_connections()
    yield
    dynamodb.reset_connections()
    server.shutdown()
    server.server_close()
    thread.join()


def run_against(url: str) -> Run:
    """Return a run that has only a URL."""
    return Run(Target(url), Outcomes(Redaction(), lambda _line: None))


def test_run_ends_after_repeated_connection_failures(silent: str) -> None:
    """After several connection failures the remaining checks are left out with the reason, so that the
    run ends soon.
    """
    run = run_against(silent)
    contract.check(run)
    states = [each.state for each in run.outcomes.found]
    assert states[:UNANSWERED_MAX] == [DIFFERS] * UNANSWERED_MAX
    assert set(states[UNANSWERED_MAX:]) == {LEFT_OUT}
    assert len({each.check for each in run.outcomes.found}) == len(states) > 30


def test_checks_of_accounts_are_left_out_without_table_permissions(silent: str, denied: None, tmp_path: Path) -> None:
    """Without permission to write the tables, checks that need an account are left out; the user's name isn't
    printed.
    """
    run = Run(Target(silent, LOCAL), Outcomes(Redaction(), lambda _line: None))
    smoke(run, tmp_path / "report.md")
    left_out = {each.check: each.found for each in run.outcomes.of(LEFT_OUT)}
    assert left_out[ACCOUNT].startswith("these credentials lack the permission dynamodb:")
    assert left_out[CLEANUP].startswith("these credentials lack the permission dynamodb:")
    assert {left_out[name] for name in OF_ACCOUNT} == {NOT_MADE}
    assert "ada" not in (tmp_path / "report.md").read_text()


def test_unexpected_error_is_one_line(quiet_run: Made) -> None:
    """An unexpected error of a check is reported in one line with its type, and the run continues."""
    run = quiet_run()
    with run.record_errors("first"):
        raise TypeError("list indices must be\nintegers")
    with run.record_errors("second"):
        run.outcomes.ok("second")
    assert [(each.state, each.check) for each in run.outcomes.found] == [(DIFFERS, "first"), (OK, "second")]
    assert run.outcomes.found[0].found.endswith("got TypeError: list indices must be integers")


def test_unwritable_report_is_one_line(silent: str, tmp_path: Path) -> None:
    """If the report can't be written, the run prints one line and fails."""
    said: list[str] = []
    run = run_against(silent)
    run.outcomes.say = said.append
    (tmp_path / "file").touch()
    assert smoke(run, tmp_path / "file" / "report.md") == 1
    assert "The report can't be written: " in said[-1]


def test_volley_counts_missing_responses_by_error() -> None:
    """Of several concurrent requests, responses are counted by status and missing responses by error."""
    responses = [
        Response(200, [], b""),
        Response(429, [], b""),
        Response(200, [], b""),
        Response(0, [], b"TimeoutError"),
    ]
    assert Volley(responses, 1).describe() == "2 × 200, 1 × 429, 1 × no response (TimeoutError)"
