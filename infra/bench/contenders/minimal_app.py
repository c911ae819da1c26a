"""A minimal Chalice app with boto3, as the baseline for cold starts. Only one of its two routes calls the database.

As AWS recommends, the client is created at import, once per process.
"""

import os
from typing import Any

import boto3
from chalice.app import Chalice

app = Chalice(app_name="minimal")
client = boto3.client("dynamodb")


@app.route("/bare")
def bare() -> dict[str, Any]:
    """Respond without a database call."""
    return {"tier": "pro", "quota": None, "burst": {"limit": 200, "remaining": 199, "reset": 0, "window_s": 1}}


@app.route("/called")
def called() -> dict[str, Any]:
    """Respond with the result of one database call."""
    response = client.get_item(TableName=os.environ["BENCH_TABLE"], Key={"id": {"S": "nobody"}}, ConsistentRead=True)
    return {"found": "Item" in response}
