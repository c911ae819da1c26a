"""The operator's pages are complete: every setting, every alarm, and the computed costs."""

import re
from dataclasses import fields
from pathlib import Path

from chalicelib.core.settings import Settings
from infra import data, reference
from infra.costs import page as costs_page

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
NOT_COMMITTED = (".local/", ".venv/", ".chalice/deployed/")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALARMS = {
    resource["Properties"]["AlarmName"].removeprefix("latchkey-${Stage}-"): resource["Properties"]
    for resource in data.template()["Resources"].values()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """Return the rows of the first table under a heading, by their first cell without its backticks."""
    section = (ROOT / "docs" / page).read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", section, re.MULTILINE)
    ]
    return {first.strip("`"): rest for first, *rest in cells[2:]}


def test_every_setting_is_in_the_deploying_page() -> None:
    """docs/deploying.md has the default and the purpose of every setting."""
    told = rows("deploying.md", "Settings")
    there = {f"LATCHKEY_{field.name.upper()}": str(field.default) for field in fields(Settings)}
    assert told.keys() == there.keys()
    assert {name: row[0].strip("`") for name, row in told.items()} == there
    assert all(len(row) == 2 and len(row[1]) > 15 for row in told.values())


def test_every_parameter_of_the_packaged_stack_is_in_the_deploying_page() -> None:
    """docs/deploying.md has each parameter of the packaged stack with its default."""
    told = {name: row[0].strip("`") for name, row in rows("deploying.md", "Through your own pipeline").items()}
    there = {name: str(each.get("Default", "")) for name, each in data.template()["Parameters"].items()}
    assert told == there | {"Stage": "the packaged stage"}


def test_every_alarm_is_in_the_operating_page() -> None:
    """docs/operating.md has every alarm with its meaning and the first step to take; Lambda's alarms share a row."""
    told = rows("operating.md", "Is it healthy?")
    assert {name for names in told for name in names.split(", ")} == set(ALARMS)
    assert all(len(row) == 2 and all(row) for row in told.values())


def test_every_stated_alarm_count_is_correct() -> None:
    """Every page that states the number of alarms has the template's number."""
    counted = {page.name: re.findall(r"(\d+)\s+alarms", page.read_text()) for page in PAGES}
    told = {name: set(numbers) for name, numbers in counted.items() if numbers}
    assert told
    assert told == {name: {str(len(ALARMS))} for name in told}


def test_every_metric_that_a_page_names_is_counted() -> None:
    """The code records every metric that a page names."""
    sources = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))
    named = {name for page in PAGES for name in re.findall(r"\bmetrics?\s+`([A-Za-z]+)`", page.read_text())}
    assert "LimiterUnavailable" in named
    assert [name for name in sorted(named) if f'"{name}"' not in sources] == []


def test_alarm_uses_a_recorded_metric() -> None:
    """Every alarm's metric is one that the code records, because an alarm on a misspelt metric would never be
    raised.
    """
    sources = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))
    for alarm in ALARMS.values():
        dimensions = [dimension["Name"] for dimension in alarm["Dimensions"]]
        if alarm["Namespace"] == "Latchkey":
            assert f'"{alarm["MetricName"]}"' in sources
            assert dimensions == ["stage"]
        else:
            assert (alarm["Namespace"], dimensions) == ("AWS/Lambda", ["FunctionName"])


def test_every_code_path_in_the_pages_exists() -> None:
    """Every file or folder that a page names in backticks exists."""
    pages = [ROOT / "docs" / name for name in ("architecture.md", "developing.md", "security.md")] + RECORDS
    bases = (ROOT, ROOT / "chalicelib", ROOT / "chalicelib" / "pages")
    named = {
        (page.name, path)
        for page in pages
        for path in re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|yaml|json|toml|js|html|md))?)`", page.read_text())
        if not path.startswith(NOT_COMMITTED)
    }
    assert len(named) > 100
    missing = {(page, path) for page, path in named if not any((base / path).exists() for base in bases)}
    assert missing == set()


def test_every_decision_has_its_sections_and_is_listed() -> None:
    """Decision records are numbered without a gap, are short, and are linked from the list by their title."""
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    expected = []
    for number, record in enumerate(RECORDS, 1):
        text = record.read_text()
        title = text.partition("\n")[0]
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) <= 35
        expected.append((f"{number:04}", record.name, title.removeprefix(f"# {number}. ")))
        assert record.name.startswith(f"{number:04}-")
    assert listed == expected


def test_api_reference_is_as_printed() -> None:
    """The API reference equals the output of `make reference`, which must be run after a change of a route."""
    assert (ROOT / "docs" / "rest-api.md").read_text() == reference.page()


def test_costs_are_as_computed() -> None:
    """The costs in the docs equal the output of `make costs`, which must be run after a change of prices or calls."""
    assert (ROOT / "docs" / "costs.md").read_text() == costs_page.page()
