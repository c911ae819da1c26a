"""`make github-keys`: fetch the public keys of GitHub's secret scanning alerts into a file for the next deployment.

An unusable key is rejected now instead of when an alert arrives.
"""

import argparse
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chalicelib.detection import github_signature

URL = "https://api.github.com/meta/public_keys/secret_scanning"
TIMEOUT_S = 20


class Unusable(Exception):
    """GitHub's response is not a list of usable keys; the message is the reason."""


def main() -> int:
    """Fetch and write the keys. If that fails, print one sentence on standard error and return 1."""
    parser = argparse.ArgumentParser(prog="github-keys")
    parser.add_argument("--url", default=URL)
    parser.add_argument("--out", type=Path, default=github_signature.KEYS_FILE)
    options = parser.parse_args()
    try:
        keys = check(fetch(options.url))
    except (OSError, Unusable) as error:
        print(f"The keys can't be fetched from {options.url}: {error}", file=sys.stderr)
        return 1
    options.out.write_text(json.dumps({"public_keys": keys}, indent=2) + "\n")
    print(f"{len(keys)} keys are in {options.out.name}. They take effect with the next deployment.")
    return 0


def fetch(url: str) -> Any:
    """Return the published JSON document. Raises OSError if the request fails, and Unusable if the text isn't JSON."""
    request = urllib.request.Request(url, headers={"Accept": "application/vnd.github+json", "User-Agent": "latchkey"})  # noqa: S310 - the operator's own
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - as above
        try:
            return json.loads(response.read())
        except ValueError:
            raise Unusable("the response is not JSON.") from None


def check(published: Any) -> list[dict[str, Any]]:
    """Return the keys of the document. Raises Unusable if it has no keys, or a key that isn't on the curve P-256."""
    try:
        keys = [
            {name: each[name] for name in ("key_identifier", "key", "is_current")} for each in published["public_keys"]
        ]
    except (KeyError, TypeError):
        raise Unusable("the response is not a list of keys.") from None
    for each in keys:
        if not _is_on_p256(each["key"]):
            raise Unusable(f"the key {each['key_identifier']} is not on the curve P-256.")
    if not keys:
        raise Unusable("the list has no key.")
    return keys


def _is_on_p256(pem: str) -> bool:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, AttributeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)


if __name__ == "__main__":
    sys.exit(main())
