"""Hooks for schemathesis: constraints that the schema can't express, and two additional checks.

schemathesis imports this module in its own process. The environment describes the caller, which differs from run to
run.
"""

import base64
import os
from typing import Any

import schemathesis
from hypothesis import strategies as st

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def own_ids() -> list[str]:
    """Return the ids of the caller's own key and account, which the caller must not revoke or suspend."""
    return os.environ["PLAYED_IDS"].split()


def held_scopes() -> list[str]:
    """Return the scopes that the caller's key has."""
    return os.environ["PLAYED_SCOPES"].split()


def _cursors(prefix: str) -> st.SearchStrategy[str]:
    ids = st.text(st.sampled_from(_LETTERS), min_size=20, max_size=20)
    return ids.map(lambda rest: base64.urlsafe_b64encode(f"{prefix}_{rest}".encode()).decode())


for each in ("usr", "mem", "inv", "key", "evt", "whk"):
    schemathesis.openapi.format(f"{each}-cursor", _cursors(each))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Replace the caller's own id in the path of a change with an unknown id."""
    if case.method not in ("GET", "HEAD"):
        for name, value in (case.path_parameters or {}).items():
            if value in own_ids():
                case.path_parameters[name] = value[:-1] + ("0" if value[-1] != "0" else "1")


@schemathesis.check
def scope_is_required(ctx: Any, response: Any, case: Any) -> None:
    """A route with a scope must reject a caller without a credential or without the scope."""
    scope, sent = case.operation.definition.raw.get("x-required-scope"), response.request
    if scope and response.status_code < 400 and sent.method != "OPTIONS":  # A preflight has no key.
        assert "Authorization" in sent.headers, f"{sent.method} {case.path} answers a caller without a key"
        assert scope in held_scopes(), f"{sent.method} {case.path} answers a caller who lacks {scope}"


@schemathesis.check
def every_refusal_is_told(ctx: Any, response: Any, case: Any) -> None:
    """Every error response must have a code and a message."""
    if response.status_code >= 400:
        body = response.json()
        assert body["error"]
        assert body.get("message") or body.get("error_description")
