"""AWS's prices, read from `prices.json`, and the units that they are given in."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRICES = json.loads((ROOT / "infra" / "prices.json").read_text())
GB, MILLION = 2**30, 1e6
DAY_S, MINUTES, HOURS = 24 * 3600, 30 * 24 * 60, 30 * 24
"""A month has 30 days."""
