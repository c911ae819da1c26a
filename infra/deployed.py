"""What Chalice noted of the last deployment of a stage: the gateway's id and URL."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent


def api_of(stage: str) -> dict[str, str] | None:
    """Return `rest_api_id` and `rest_api_url` of a stage deployed from this checkout, None when there is none."""
    noted = ROOT / ".chalice" / "deployed" / f"{stage}.json"
    resources = json.loads(noted.read_text())["resources"] if noted.exists() else []
    for resource in resources:
        if resource["resource_type"] == "rest_api":
            return {name: resource[name] for name in ("rest_api_id", "rest_api_url")}
    return None
