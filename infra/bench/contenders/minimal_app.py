"""The smallest function of its kind: Chalice, boto3, one route that makes one call.

As AWS advises, the client is made when the module is imported, once for the life of the process.
"""

import os
from typing import Any

import boto3
from chalice.app import Chalice

app = Chalice(app_name="minimal")
client = boto3.client("dynamodb")


@app.route("/bare")
def bare() -> dict[str, Any]:
    """Answer without asking anybody."""
    return {"tier": "pro", "quota": None, "burst": {"limit": 200, "remaining": 199, "reset": 0, "window_s": 1}}


@app.route("/called")
def called() -> dict[str, Any]:
    """Answer with what one call returned."""
    answer = client.get_item(TableName=os.environ["BENCH_TABLE"], Key={"id": {"S": "nobody"}}, ConsistentRead=True)
    return {"found": "Item" in answer}
