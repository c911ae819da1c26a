"""argon2 with the lowest cost, for tests whose subject isn't password hashing.

Only the cost of a hash differs. tests/accounts/test_passwords.py checks the cost parameters, and
tests/engine/test_time.py the response times. Tests with browsers and real processes hash with the full cost.
"""

import re
from typing import Any

from argon2 import _password_hasher as argon2_calls
from argon2.low_level import hash_secret, verify_secret

COST = re.compile(rb"\$m=\d+,t=\d+,p=\d+\$")
CHEAPEST = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


def hash_cheaply(monkeypatch: Any) -> None:
    """Hash with argon2's lowest cost; the stored hash names the requested cost."""

    def hash_secret_cheaply(**asked: Any) -> bytes:
        named = f"$m={asked['memory_cost']},t={asked['time_cost']},p={asked['parallelism']}$"
        return COST.sub(named.encode(), hash_secret(**{**asked, **CHEAPEST}))

    def verify_secret_cheaply(stored: bytes, *secret_and_kind: Any) -> bool:
        return verify_secret(COST.sub(b"$m=8,t=1,p=1$", stored), *secret_and_kind)

    monkeypatch.setattr(argon2_calls, "hash_secret", hash_secret_cheaply)
    monkeypatch.setattr(argon2_calls, "verify_secret", verify_secret_cheaply)
