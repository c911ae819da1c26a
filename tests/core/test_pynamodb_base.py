"""The import of pynamodb doesn't import botocore's client, and removes its placeholder modules."""

import subprocess
import sys
from typing import Any

import botocore
import pytest
from botocore.exceptions import ClientError

from chalicelib.core.dynamodb import pynamodb_base

SHOWN_EMPTY = ["botocore.client", "botocore.config", "botocore.session", "pynamodb.connection._botocore_private"]
BY_BOTOCORE = ["client", "config", "session"]
PROGRAM = f"""
import sys
from chalicelib.core.dynamodb import pynamodb_base
assert not set({SHOWN_EMPTY}) & sys.modules.keys(), "not removed"
import botocore
assert not {{"client", "config", "session"}} & vars(botocore).keys(), "not removed from botocore"
import botocore.client, botocore.config, botocore.session
assert botocore.client.BaseClient is not object
assert botocore.config.Config(read_timeout=1).read_timeout == 1
assert botocore.session.get_session().get_available_regions("dynamodb")
from botocore.exceptions import ClientError
assert pynamodb_base.Model and pynamodb_base.TransactWrite
"""
BEFORE = """
import sys
import botocore.client
client = sys.modules["botocore.client"]
from chalicelib.core.dynamodb import pynamodb_base
assert sys.modules["botocore.client"] is client is botocore.client
assert pynamodb_base.Model
"""


@pytest.mark.parametrize("program", [PROGRAM, BEFORE], ids=["first", "after botocore"])
def test_later_imports_get_botocores_own_modules(program: str) -> None:
    """Imports of botocore, before or after that of pynamodb, get botocore's own modules."""
    pynamodb_base._import()  # no effect, because botocore's client is already imported
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has imported neither pynamodb nor botocore's client."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "pynamodb" or each in SHOWN_EMPTY]:
        monkeypatch.delitem(sys.modules, name)
    for name in BY_BOTOCORE:
        monkeypatch.delattr(botocore, name, raising=False)


@pytest.mark.usefixtures("first")
def test_pynamodb_gets_empty_modules_that_are_removed() -> None:
    """The import of pynamodb uses placeholder modules, which later imports replace by the real ones."""
    pynamodb_base._import()
    connection: dict[str, Any] = vars(sys.modules["pynamodb.connection.base"])
    substitutes = [connection[name] for name in ("ClientError", "get_session", "BotocoreBaseClientPrivate")]
    assert substitutes == [ClientError, None, object]
    assert not set(SHOWN_EMPTY) & sys.modules.keys()
    assert not set(BY_BOTOCORE) & vars(botocore).keys()


def test_imported_botocore_client_is_kept() -> None:
    """If botocore's client is already imported, it stays and isn't replaced."""
    import botocore.client

    before = sys.modules["botocore.client"]
    pynamodb_base._import()
    assert sys.modules["botocore.client"] is before is botocore.client
