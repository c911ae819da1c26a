"""Every command in the docs is valid for its program."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.api import authorizer
from infra.deploy import gateway_stage
from tests.infra.commands import PAGES, ROOT, Mistaken, blocks, call_of, check_names, inline, split

AWS = {
    f"{page.name}: {' '.join(words)}"[:90]: words
    for page in PAGES
    for words in blocks(page.read_text())
    if words[0] == "aws"
}
IN_SENTENCES = {" ".join(words): words for page in PAGES for words in inline(page.read_text())}
OTHERS = {"sam", "curl", "tr", "export", ".venv/bin/python"}
"""Programs whose commands aren't checked here."""
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("command", AWS)
def test_every_aws_command_in_the_docs_is_valid(command: str) -> None:
    """AWS's own models contain the service, operation, options, values and `--query` of every `aws` command."""
    call_of(AWS[command])


@pytest.mark.parametrize("command", IN_SENTENCES)
def test_every_aws_command_in_a_sentence_exists(command: str) -> None:
    """The service, operation and options exist for every `aws` command that a page quotes within a sentence."""
    check_names(IN_SENTENCES[command])


@pytest.mark.parametrize(
    ("command", "because"),
    [
        ("aws dynamodbs list-tables", "no service"),
        ("aws dynamodb list-table", "has no list-table"),
        ("aws dynamodb delete-table --name x", "unknown: name"),
        ("aws dynamodb delete-table", "Missing required parameter"),
        ("aws dynamodb delete-table --table-name", "has no value"),
        ("aws dynamodb delete-table --table-name x y", "is too much"),
        ("aws dynamodb wait table-gone --table-name x", "waits for no"),
        ("aws dynamodb wait table-exists --name x", "unknown: name"),
        ("aws dynamodb update-table --table-name xxx --deletion-protection-enabled true", "takes no value"),
        ("aws dynamodb update-table --table-name xxx --no-table-class STANDARD", "unknown: no-table-class"),
        ("aws dynamodb update-time-to-live --table-name xxx --time-to-live-specification On=true", "unknown: On"),
        ("aws cloudwatch set-alarm-state --alarm-name x --state-value RED --state-reason x", "not one of"),
        ("aws lambda get-account-settings --query AccountLimits.X", "no AccountLimits"),
        ("aws cloudformation deploy --stack x", "unknown: stack"),
    ],
)
def test_invalid_aws_command_is_detected(command: str, because: str) -> None:
    """The check detects each type of mistake in a command."""
    ((*words,),) = split(command)
    with pytest.raises(Mistaken, match=because):
        call_of(words)


def test_every_command_is_checked_or_exempt() -> None:
    """Every command in the docs is either checked or listed as exempt."""
    found = {(page.name, words[0]) for page in PAGES for words in blocks(page.read_text())}
    assert {name for name, _ in found} >= {"deploying.md", "operating.md"}
    assert {program for _, program in found} == {"aws", "make", *OTHERS}


def _made() -> Iterator[tuple[str, str, list[str]]]:
    for page in PAGES:
        text = page.read_text()
        inlined = (match.split() for match in re.findall(r"`(make [a-z][^`]*)`", text))
        for words in (*blocks(text), *inlined):
            if words[0] == "make":
                yield page.name, words[1], [word.partition("=")[0] for word in words[2:] if re.match("[A-Z_]+=", word)]


def test_every_make_target_and_variable_in_the_docs_exists() -> None:
    """The Makefile has every target and variable that the docs use."""
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"\b[A-Z_]+\b", MAKEFILE))
    made = list(_made())
    assert len(made) > 30
    assert [(page, target) for page, target, _ in made if target not in targets] == []
    assert [(page, name) for page, _, names in made for name in names if name not in variables] == []


def test_every_link_between_pages_is_valid() -> None:
    """Every relative link refers to an existing page and heading."""
    headings = {
        page: {_anchor(line) for line in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)} for page in PAGES
    }
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]*)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
            name, _, anchor = target.partition("#")
            other = (page.parent / name).resolve() if name else page
            if "://" in target or target.startswith("mailto:"):
                continue
            if not other.exists() or (anchor and other in headings and anchor not in headings[other]):
                broken.append((page.name, target))
    assert broken == []


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_log_queries_use_existing_fields() -> None:
    """Log queries in the docs use only fields that the log lines have."""
    gateways = json.loads(gateway_stage.ACCESS_LOG).keys()
    source = (ROOT / "chalicelib" / "api" / "access_log.py").read_text()
    looked = [call for words in AWS.values() if (call := call_of(words)) and call.operation == "StartQuery"]
    assert len(looked) == 2
    for call in looked:
        query = re.sub(r'"[^"]*"|count\(\*\)| as \w+|@timestamp', "", call.parameters["queryString"])
        named = set(re.findall(r"\w+", query)) - {"filter", "fields", "stats", "max", "by"}
        assert named
        if call.parameters["logGroupName"].endswith("/access"):
            assert named <= gateways
        else:
            assert [name for name in named if f"{name}=" not in source] == []


def test_authorizer_of_another_gateway_is_configured_as_ours() -> None:
    """The command for another API Gateway has the pattern and the cache time of our own API's authorizer."""
    calls = [call for words in AWS.values() if (call := call_of(words)) and call.operation == "CreateAuthorizer"]
    assert [each.parameters["identityValidationExpression"] for each in calls] == [authorizer.IDENTITY]
    assert [each.parameters["authorizerResultTtlInSeconds"] for each in calls] == [authorizer.CACHED_S]


def test_docs_are_not_empty() -> None:
    """There are more than ten pages for the other tests to check."""
    assert all(isinstance(page, Path) for page in PAGES)
    assert len(PAGES) > 10
