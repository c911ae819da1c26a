"""The server process of `make run`, which `reload` starts: `python -m infra.serve <socket's descriptor> [--first]`.

It ends when its standard input is closed, so that it never outlives the run that started it.
"""

import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from chalicelib.core import settings, telemetry
from chalicelib.core.dynamodb.errors import DynamoDBError
from infra import engine, faults, mailbox
from infra.reload import CANNOT_START

if TYPE_CHECKING:
    from infra.demo import Demo, DemoClient


def main() -> int:
    """Serve until terminated. If a setting or the database prevents the start, print why and return CANNOT_START."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    # Log lines go to a file instead of the terminal. It isn't closed, since threads may log until the process ends.
    telemetry.write_to((engine.LOCAL / "latchkey.log").open("a", buffering=1))
    faults.show_in_terminal()
    try:
        _serve(socket.socket(fileno=int(sys.argv[1])), first="--first" in sys.argv)
    except (settings.SettingError, DynamoDBError) as error:
        print(error, file=sys.stderr)
        return CANNOT_START
    return 0


def _end_with_the_run() -> None:
    # Don't use sys.stdin.read: it would hold a lock that the interpreter needs at shutdown.
    os.read(sys.stdin.fileno(), 1)
    os._exit(0)


def _serve(listener: socket.socket, *, first: bool) -> None:
    from app import app
    from infra import background, data, demo, server

    created = data.create_missing_tables()
    if created:
        print(f"Created {len(created)} tables.", flush=True)
    host, port = listener.getsockname()
    serving = server.Server(app, host, port, listener=listener)
    accounts, client = demo.add_demo_accounts(), demo.add_demo_client()
    if first:
        _introduce(f"http://{host}:{port}", accounts, client)
    mailbox.watch(engine.LOCAL / "mail")
    background.start()
    serving.serve_forever()


def _introduce(url: str, demos: "list[Demo]", client: "DemoClient") -> None:
    print("\nDemo accounts (email, password, API key):")
    first: str | None = None
    for demo in demos:
        first = first or demo.secret
        key = demo.secret or f"(not stored; for a new key: make key EMAIL={demo.email} ACCOUNT={demo.account_id})"
        print(f"  {demo.label:<11}{demo.email:<25}{demo.password:<24}{key}")
    print("\nDemo application for OAuth, of the Pro account:")
    print(f"  client id     {client.client_id}")
    rotate = "(not stored; for a new secret: log in, Settings > Applications > Rotate secret)"
    print(f"  secret        {client.secret or rotate}")
    print(f"  redirect URI  {client.redirect_uri}  (on loopback any port matches)")
    print("  To see the whole flow, run make oauth-demo in another terminal")
    print(f"\nConsole: {url}/login   Administration, as the admin account: {url}/admin")
    print("\nTry it:")
    print(f'  curl -i -H "Authorization: Bearer {first or "YOUR_API_KEY"}" {url}/v1/users/me')
    print(f'  curl -i -H "Authorization: Bearer {first or "YOUR_API_KEY"}" {url}/v1/limits')
    print(f"  curl -i {url}/v1/users        # no key: 401")
    print("\nEmails aren't sent: they are shown here, with their links, and kept in .local/mail.")
    print("Changes of app.py and chalicelib/ are reloaded.")
    print(f"Database: AWS_ENDPOINT_URL={os.environ['AWS_ENDPOINT_URL']}   Logs: .local/latchkey.log   Stop: Ctrl-C\n")


if __name__ == "__main__":
    sys.exit(main())
