"""pynamodb's connections are imported without botocore's client, and leave nothing behind."""

import subprocess
import sys

import pytest

from chalicelib.core.dynamodb import pynamodb_base

SHOWN_EMPTY = ["botocore.client", "botocore.config", "botocore.session", "pynamodb.connection._botocore_private"]
PROGRAM = f"""
import sys
from chalicelib.core.dynamodb import pynamodb_base
assert not set({SHOWN_EMPTY}) & sys.modules.keys(), "left behind"
import botocore
assert not {{"client", "config", "session"}} & vars(botocore).keys(), "left at botocore"
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
def test_whoever_needs_botocores_own_gets_it(program: str) -> None:
    """The sender of mail, after this or before it."""
    pynamodb_base._import()  # which does nothing here: somebody has imported botocore's client already
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
