"""curl commands of the API reference."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"


def command(url: str, method: str, flags: str, media: str, example: Any) -> str:
    """Return the command that sends a request. `flags` are curl's options for the credential, `example` is the body."""
    lines = [f'curl {"" if method == "GET" else f"-X {method} "}"{url}"']
    if flags:
        lines.append(flags)
    if example and media == FORM:
        lines.append(f"-d '{urlencode(_strings(example))}'")
    elif example:
        body = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
        lines += [f'-H "Content-Type: {media}"', f"-d '{body}'"]
    return " \\\n  ".join(lines)


def _strings(example: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in example.items() if isinstance(value, str)}
