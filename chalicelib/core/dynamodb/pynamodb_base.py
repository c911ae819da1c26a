"""Import pynamodb without botocore's client. Other modules import these names from here, not from pynamodb.

pynamodb imports botocore's client, session and configuration, which takes two thirds of its import time. They are never
used here, because every call is made by `core.dynamodb.client`. Therefore empty modules replace them while pynamodb is
imported. Later imports, for example to send an email, get the real modules.
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
        # If botocore's client is imported already, replacing it would save no time.
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
