"""argon2 at its cheapest, for tests in which it is not what is tested: everything else about a hash stays as it is.

What a password is hashed at is held to in tests/accounts/test_passwords.py, and that it is at every answer in
tests/engine/test_time.py. Browsers and real processes hash at full cost.
"""

import re
from typing import Any

from argon2 import _password_hasher as argon2_calls
from argon2.low_level import hash_secret, verify_secret

COST = re.compile(rb"\$m=\d+,t=\d+,p=\d+\$")
CHEAPEST = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


def hash_cheaply(monkeypatch: Any) -> None:
    """Let argon2 work as little as it can; what is stored names the cost that was asked for."""

    def made(**asked: Any) -> bytes:
        named = f"$m={asked['memory_cost']},t={asked['time_cost']},p={asked['parallelism']}$"
        return COST.sub(named.encode(), hash_secret(**{**asked, **CHEAPEST}))

    def checked(stored: bytes, *secret_and_kind: Any) -> bool:
        return verify_secret(COST.sub(b"$m=8,t=1,p=1$", stored), *secret_and_kind)

    monkeypatch.setattr(argon2_calls, "hash_secret", made)
    monkeypatch.setattr(argon2_calls, "verify_secret", checked)
