"""What of pynamodb makes connections, without botocore's client: imported from here, and nowhere else.

pynamodb asks for botocore's client, session and configuration when it is imported, and for nothing of them afterwards,
since every call goes by the wire. They are two thirds of what importing it costs, so it is shown empty ones. Whoever
needs the real ones later, such as the sender of mail, gets them.
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
        # Somebody has paid already.
        return
    for name, members in _UNUSED.items():
        module = ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module
        if name.startswith("botocore."):
            setattr(botocore, name.rpartition(".")[2], module)
    try:
        import pynamodb.connection  # noqa: F401 - so that it is there with these
    finally:
        for name in _UNUSED:
            del sys.modules[name]
            if name.startswith("botocore."):
                delattr(botocore, name.rpartition(".")[2])


_import()

from pynamodb.connection import Connection  # noqa: E402 - only now
from pynamodb.connection.table import TableConnection  # noqa: E402 - only now
from pynamodb.models import Model  # noqa: E402 - only now
from pynamodb.transactions import TransactWrite  # noqa: E402 - only now

__all__ = ["Connection", "Model", "TableConnection", "TransactWrite"]
