"""`make run`: start a durable local DynamoDB with tables and demo accounts, and the API on http://127.0.0.1:$PORT."""

import errno
import fcntl
import os
import signal
import socket
import sys
import time

from chalicelib.core import settings
from infra import chalice_cli, checkout, engine, reload, server
from infra.failed import Mistake

HOST = "127.0.0.1"
LETS_GO_WITHIN_S = 2


def main() -> int:
    """Run until Ctrl-C, then stop everything that was started. Return 1 if it can't start or is running already."""
    signal.signal(signal.SIGTERM, _end)
    try:
        settings.from_environment(os.environ)
        checkout.check_local()
    except (settings.SettingError, Mistake) as error:
        print(error, file=sys.stderr)
        return 1
    port = os.environ.get("PORT") or "8000"
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        print("PORT must be a number from 1 to 65535.", file=sys.stderr)
        return 1
    _keep_private()
    # The operating system releases the lock when this process ends, even after a kill.
    with (engine.LOCAL / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(_describe_other_run(), file=sys.stderr)
            return 1
        return _run(int(port))


def _end(*_: object) -> None:
    # make forwards signals, so SIGTERM may arrive twice. The second one must not interrupt the clean-up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _describe_other_run() -> str:
    noted = engine.running()
    if noted is None:
        return "Latchkey is starting or stopping in another terminal: wait, or press Ctrl-C there."
    return f"Latchkey is already running at {noted[1]}: use it, or press Ctrl-C in its terminal and run this again."


def _run(port: int) -> int:
    try:
        listener = _listen(port)
    except OSError as error:
        print(
            f"Can't listen on {HOST}:{port}: {error.strerror}. Choose another port: make run PORT=8001", file=sys.stderr
        )
        return 1
    try:
        engine.stop_remaining()
        database = engine.start(engine.LOCAL / "latchkey.db")
    except (engine.EngineError, settings.SettingError) as error:
        print(error, file=sys.stderr)
        return 1
    try:
        os.environ["AWS_ENDPOINT_URL"] = database.url
        engine.note_running(database, f"http://{HOST}:{port}")
        os.environ["LATCHKEY_MAIL_FOLDER"] = str(engine.LOCAL / "mail")
        chalice_cli.prepare_environment(f"http://{HOST}:{port}")
        return reload.serve(listener)
    except KeyboardInterrupt:
        return 0
    finally:
        engine.forget_running()
        database.stop()
        print("\nStopped.")


def _listen(port: int) -> socket.socket:
    """Return a listening socket; retry briefly, since a killed server may release the port late."""
    give_up = time.monotonic() + LETS_GO_WITHIN_S
    while True:
        try:
            return socket.create_server((HOST, port), backlog=server.Server.request_queue_size)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def _keep_private() -> None:
    """Let only the current user read the files of a run: they contain sessions, emails with links, and logs."""
    os.umask(0o077)
    engine.LOCAL.mkdir(exist_ok=True)
    for kept in (*engine.LOCAL.glob("latchkey.*"), engine.LOCAL / "engine.log", engine.LOCAL / "mail"):
        if kept.exists():
            kept.chmod(0o700 if kept.is_dir() else 0o600)


if __name__ == "__main__":
    sys.exit(main())
