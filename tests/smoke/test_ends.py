"""What a run ends with when something goes wrong that no check looks for."""

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
    """The URL of what takes a connection and hangs up."""
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
    """A DynamoDB whose tables these credentials may not touch."""

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
    """Return a run with an address alone."""
    return Run(Target(url), Outcomes(Redaction(), lambda _line: None))


def test_server_that_hangs_up_is_not_asked_for_ever(silent: str) -> None:
    """Each check ends in a state of its own: the first ones differ, the rest is left out and says why."""
    run = run_against(silent)
    contract.check(run)
    states = [each.state for each in run.outcomes.found]
    assert states[:UNANSWERED_MAX] == [DIFFERS] * UNANSWERED_MAX
    assert set(states[UNANSWERED_MAX:]) == {LEFT_OUT}
    assert len({each.check for each in run.outcomes.found}) == len(states) > 30


def test_tables_that_may_not_be_written_leave_out_what_takes_an_account(
    silent: str, denied: None, tmp_path: Path
) -> None:
    """By the right that is missing, in one line; the name of the user who has no such right isn't in it."""
    run = Run(Target(silent, LOCAL), Outcomes(Redaction(), lambda _line: None))
    smoke(run, tmp_path / "report.md")
    left_out = {each.check: each.found for each in run.outcomes.of(LEFT_OUT)}
    assert left_out[ACCOUNT].startswith("these credentials lack the permission dynamodb:")
    assert left_out[CLEANUP].startswith("these credentials lack the permission dynamodb:")
    assert {left_out[name] for name in OF_ACCOUNT} == {NOT_MADE}
    assert "ada" not in (tmp_path / "report.md").read_text()


def test_error_that_nobody_expected_is_one_line(quiet_run: Made) -> None:
    """Such as a body that is JSON of another shape: it is named by its type, and the next check is made."""
    run = quiet_run()
    with run.record_errors("first"):
        raise TypeError("list indices must be\nintegers")
    with run.record_errors("second"):
        run.outcomes.ok("second")
    assert [(each.state, each.check) for each in run.outcomes.found] == [(DIFFERS, "first"), (OK, "second")]
    assert run.outcomes.found[0].found.endswith("got TypeError: list indices must be integers")


def test_report_that_cannot_be_written_is_one_line(silent: str, tmp_path: Path) -> None:
    """The lines were printed already; the status says that something is wrong."""
    said: list[str] = []
    run = run_against(silent)
    run.outcomes.say = said.append
    (tmp_path / "file").touch()
    assert smoke(run, tmp_path / "file" / "report.md") == 1
    assert "The report can't be written: " in said[-1]


def test_volley_says_why_requests_have_no_answer() -> None:
    """By the kind of error, beside the statuses of the others."""
    answers = [Response(200, [], b""), Response(429, [], b""), Response(200, [], b""), Response(0, [], b"TimeoutError")]
    assert Volley(answers, 1).describe() == "2 × 200, 1 × 429, 1 × no response (TimeoutError)"
