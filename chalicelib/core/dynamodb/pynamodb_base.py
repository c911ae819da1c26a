"""Import pynamodb without botocore's client. No other module imports these names from pynamodb.

pynamodb imports botocore's client, session and configuration, which take two thirds of its import time. It never uses
them here, because every call goes through `core.dynamodb.client`. Therefore they are replaced by empty modules during
its import. Later imports, for example to send an email, get the real modules.
"""

import sys
from types import ModuleType

import botocore
from botocore.exceptions import ClientError

_UNUSED = {
    "botocore.client": {"ClientError": ClientError},
    "botocore.config": {},
    "botocore.session": {"get_session": None, "Session": object},
    "pynamodb.connection._botocore_private": {"BotocoreBaseClientPrivate": object},
}


def _import() -> None:
    if "botocore.client" in sys.modules:
        # A module that is already imported needs no replacement.
        return
    for name, members in _UNUSED.items():
        module = ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module
        if name.startswith("botocore."):
            setattr(botocore, name.rpartition(".")[2], module)
    try:
        import pynamodb.connection  # noqa: F401 - imported while the empty modules are in place
    finally:
        for name in _UNUSED:
            del sys.modules[name]
            if name.startswith("botocore."):
                delattr(botocore, name.rpartition(".")[2])


_import()

from pynamodb.connection import Connection  # noqa: E402 - after _import
from pynamodb.connection.table import TableConnection  # noqa: E402 - after _import
from pynamodb.models import Model  # noqa: E402 - after _import
from pynamodb.transactions import TransactWrite  # noqa: E402 - after _import

__all__ = ["Connection", "Model", "TableConnection", "TransactWrite"]
