"""`make run`: a durable local DynamoDB, the tables, demo accounts, and the API on http://127.0.0.1:$PORT."""

import fcntl
import os
import signal
import sys
from typing import TYPE_CHECKING

from chalicelib.core import telemetry
from infra import chalice_cli, engine, mailbox

if TYPE_CHECKING:
    from infra.demo import Demo, DemoClient

HOST = "127.0.0.1"
MAIL = engine.LOCAL / "mail"


def main() -> int:
    """Run until Ctrl-C and stop everything that was started; while another run lasts, touch nothing and return 1."""
    signal.signal(signal.SIGTERM, _end)
    engine.LOCAL.mkdir(exist_ok=True)
    # The system lets go of it when this process ends, however it does.
    with (engine.LOCAL / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(_who_runs(), file=sys.stderr)
            return 1
        port = os.environ.get("PORT") or "8000"
        if not port.isdecimal() or not 0 < int(port) < 65_536:
            print("PORT must be a number from 1 to 65535.", file=sys.stderr)
            return 1
        return _run(int(port))


def _end(*_: object) -> None:
    # make passes on what it gets, so it may come twice: the second would cut the stopping short.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _who_runs() -> str:
    noted = engine.running()
    if noted is None:
        return "Latchkey is starting, or stopping, in another terminal: wait for it, or press Ctrl-C there."
    return f"Latchkey runs already at {noted[1]}: use it, or press Ctrl-C in its terminal and run this again."


def _run(port: int) -> int:
    try:
        engine.end_what_was_left()
        database = engine.start(engine.LOCAL / "latchkey.db")
    except engine.EngineError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        os.environ["AWS_ENDPOINT_URL"] = database.url
        engine.note_running(database, f"http://{HOST}:{port}")
        os.environ["LATCHKEY_MAIL_FOLDER"] = str(MAIL)
        chalice_cli.prepare_environment(f"http://{HOST}:{port}")
        # The terminal is for people. Threads may write to the log until the process ends, so nobody closes it.
        telemetry.write_to((engine.LOCAL / "latchkey.log").open("a", buffering=1))
        return _serve(port)
    except KeyboardInterrupt:
        return 0
    finally:
        engine.forget_running()
        database.stop()
        print("\nStopped.")


def _serve(port: int) -> int:
    # Imported now: the settings and the log are only right from here on.
    from app import app
    from infra import background, data, demo, server

    created = data.create_missing_tables()
    if created:
        print(f"Created {len(created)} tables.", flush=True)
    try:
        listener = server.Server(app, HOST, port)
    except OSError as error:
        print(
            f"Can't listen on {HOST}:{port}: {error.strerror}. Choose another port: make run PORT=8001", file=sys.stderr
        )
        return 1
    _introduce(f"http://{HOST}:{port}", demo.add_demo_accounts(), demo.add_demo_client())
    mailbox.watch(MAIL)
    ended = background.start()
    try:
        listener.serve_forever()
    finally:
        ended.set()
        listener.server_close()
    return 0


def _introduce(url: str, demos: "list[Demo]", client: "DemoClient") -> None:
    print("\nDemo accounts (email, password, API key):")
    first: str | None = None
    for demo in demos:
        first = first or demo.secret
        key = demo.secret or f"(not stored; a new one: make key EMAIL={demo.email})"
        print(f"  {demo.tier.name:<11}{demo.email:<25}{demo.password:<24}{key}")
    print("\nDemo application for OAuth, of the Pro account:")
    print(f"  client id     {client.client_id}")
    rotate = "(not stored; a new one: log in, Settings > Applications > Rotate secret)"
    print(f"  secret        {client.secret or rotate}")
    print(f"  redirect URI  {client.redirect_uri}  (on loopback any port matches)")
    print("  The whole flow, request by request: make oauth-demo, in another terminal")
    print(f"\nConsole: {url}/login")
    print("\nTry it:")
    print(f'  curl -i -H "Authorization: Bearer {first or "YOUR_API_KEY"}" {url}/v1/users/me')
    print(f'  curl -i -H "Authorization: Bearer {first or "YOUR_API_KEY"}" {url}/v1/limits')
    print(f"  curl -i {url}/v1/users        # no key: 401")
    print(f"\nDatabase: AWS_ENDPOINT_URL={os.environ['AWS_ENDPOINT_URL']}   Logs: .local/latchkey.log   Stop: Ctrl-C\n")


if __name__ == "__main__":
    sys.exit(main())
