"""Which URI schemes of a redirect an application may call its own (RFC 8252 §7.1, §8.4).

A scheme with a dot is a reverse domain name: the domain's owner may use it. One without a dot says nothing of its
owner, and operating systems, browsers and websites (`web+…`) act on many such schemes. More lenient than the RFC: the
schemes of the apps below are taken, since people use them, and those that the operator names. Consent is asked each
time where any of them is used, since other apps may claim it too (§8.6).
"""

import re

from chalicelib.core import settings

# Its first label is a top-level domain: letters, or Unicode's encoding of them. So `x-apple.…` and `z39.50` are none.
_REVERSE_DOMAIN = re.compile(r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})(?:\.[a-z0-9+-]+)+")

_OF_PROTOCOLS = ("iris.", "soap.", "xmlrpc.")
"""How the schemes of protocols begin that have a dot and are no domain names (IANA's registry of URI schemes)."""

_OF_APPS = """
    antigravity cursor cursor-nightly idea jetbrains kiro nova positron pycharm sublime trae trae-cn vscode
    vscode-insiders vscodium void webstorm windsurf windsurf-insiders windsurf-next zed
    chatgpt cherrystudio claude codex goose lmstudio msty opencode perplexity raycast
    warp warpdev warplocal warpoxide warppreview
    bruno hoppscotch insomnia postman yaak
"""
"""Editors, assistants, terminals and HTTP clients that get their codes at a scheme without a dot."""
KNOWN = frozenset(_OF_APPS.split())


def is_private_use(scheme: str) -> bool:
    """Return whether an application may call a `scheme`, in lower case, its own."""
    if _REVERSE_DOMAIN.fullmatch(scheme):
        return not scheme.startswith(_OF_PROTOCOLS)
    return scheme in KNOWN or scheme in settings.current().redirect_schemes.split()
