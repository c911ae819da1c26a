"""AWS's prices, read from `prices.json`, and the units of these prices."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRICES = json.loads((ROOT / "infra" / "prices.json").read_text())
GB, MILLION = 2**30, 1e6
DAY_S, MINUTES, HOURS = 24 * 3600, 30 * 24 * 60, 30 * 24
"""The seconds of a day, and the minutes and hours of a month of 30 days."""
