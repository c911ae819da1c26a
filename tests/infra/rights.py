"""Write `infra/rights.json` from the schemas that cfn-lint contains: `python -m tests.infra.rights`."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped]  # ships no types

from infra import rights, template
from infra.edge import front

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas" / "resources"
LEFT_OUT = (
    "Import", "Replica", "Kinesis", "Scan", "Query", "Item", "ContributorInsights", "ResourcePolic", "ResourcePolicy",
    "ConnectionGroup", "VpcOrigin", "StagingConfig", "PutFunction", "PutProvisioned", "PutRuntime", "DeleteFunctionCo",
    "LayerVersion", "CapacityProvider", "RuntimeAlias", "PermissionPolicy", "DataProtection", "LogDelivery",
    "IndexPolic", "BearerToken", "LogGroupDeletionProtection", "Kms", "Boundary", "AttachRole", "DetachRole",
)  # fmt: skip
"""Parts of the names of actions that CloudFormation needs only for properties that our stacks don't use."""
READ_ALL_THE_SAME = (
    *("dynamodb:DescribeKinesisStreamingDestination", "dynamodb:DescribeContributorInsights"),
    *("dynamodb:GetResourcePolicy", "logs:GetDataProtectionPolicy", "logs:DescribeIndexPolicies"),
    *("logs:DescribeResourcePolicies", "sns:GetDataProtectionPolicy"),
)
"""Actions with which CloudFormation reads any resource, whatever properties it has."""


def by_type() -> dict[str, list[str]]:
    """Return the actions that CloudFormation needs for each resource type of the data stack, from the type's schema."""
    return _listed({each["Type"] for each in template.composed()["Resources"].values()})


def of_edge() -> dict[str, list[str]]:
    """Return the actions for each resource type that only the edge stacks have."""
    whole = [*front.distribution()["Resources"].values(), *template.read(front.ORIGIN)["Resources"].values()]
    return _listed({each["Type"] for each in whole} - by_type().keys())


def _listed(types: set[str]) -> dict[str, list[str]]:
    found = {}
    for file in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(file.read_text())
        if schema.get("typeName") in types:
            found[schema["typeName"]] = sorted(_needed(schema))
    assert found.keys() == types
    return dict(sorted(found.items()))


def _needed(schema: dict[str, Any]) -> set[str]:
    service = schema["typeName"].split("::")[1].lower()
    listed = {action for handler in schema["handlers"].values() for action in handler["permissions"]}
    own = {action for action in listed if action.startswith(f"{service}:")}
    return {action for action in own if action in READ_ALL_THE_SAME or not any(word in action for word in LEFT_OUT)}


if __name__ == "__main__":
    told = {
        "as_of": datetime.now(UTC).date().isoformat(),
        "source": f"the resource schemas of CloudFormation, as in cfn-lint {version('cfn-lint')}",
        "by_type": by_type(),
        "edge": of_edge(),
    }
    rights.FILE.write_text(json.dumps(told, indent=2) + "\n")
