"""Commands in the docs, split into words as a shell does, and `aws` commands parsed with botocore's models."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from tests.support import botocore_model

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_EVERY_COMMAND = {"query", "output", "region", "profile", "endpoint-url", "max-items", "page-size", "no-cli-pager"}
OF_DEPLOY = {"stack-name", "template-file", "parameter-overrides", "capabilities"}
"""Options of `aws cloudformation deploy`, which is no API operation: it creates and executes a change set."""
SUBSTITUTIONS = (r"\$\([^()]*\)", r"\$\(\([^()]*\)\)")
_SESSION = botocore.session.get_session()


class Mistaken(Exception):
    """A command that the AWS CLI would reject."""


@dataclass(frozen=True, slots=True)
class Call:
    """The API call of an `aws` command.

    If `waiter` is set, the CLI repeats the call until the condition of this name is met.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    region: str = ""
    waiter: str = ""


def blocks(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in the console blocks of a page; each part of a pipe is a separate command."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        lines = iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                continue  # The line is output of a command.
            command = line[2:]
            while _goes_on(command):
                command = command.removesuffix("\\") + "\n" + next(lines)
            yield from split(command)


def section(page: str, heading: str) -> str:
    """Return the text under a heading of a page, including the subsections."""
    found = re.search(rf"^(##+) {re.escape(heading)}\n", text := (ROOT / "docs" / page).read_text(), re.MULTILINE)
    assert found, heading
    rest = text[found.end() :]
    following = re.search(rf"^#{{2,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def inline(text: str) -> Iterator[list[str]]:
    """Yield the words of each `aws` command that a page quotes within its sentences."""
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for command in re.findall(r"`(aws\s[^`]+)`", outside):
        yield from split(command.replace("…", "x"))


def split(command: str) -> Iterator[list[str]]:
    """Yield the words of each part of a pipe, with 0 in place of a command substitution."""
    for pattern in SUBSTITUTIONS:
        command = re.sub(pattern, "0", command)
    words = shlex.shlex(command, posix=True, punctuation_chars="|")
    words.whitespace_split, words.commenters = True, "#"
    part: list[str] = []
    for word in words:
        if word == "|":
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _goes_on(command: str) -> bool:
    if command.endswith(("\\", "|")):
        return True
    try:
        list(split(command))
    except ValueError:  # A quotation isn't closed yet.
        return True
    return False


def check_names(words: list[str]) -> None:
    """Raise Mistaken for a wrong name in an `aws` command of a sentence; parameters may be missing."""
    _, service, name, *rest = words
    operation = _operation(service, name, "")
    members = operation.input_shape.members if operation.input_shape else {}
    given = {option.removeprefix("no-") for option, _ in _options(rest)}
    _must_be_known(given - {xform_name(each, "-") for each in members} - OF_EVERY_COMMAND)


def call_of(words: list[str]) -> Call | None:
    """Return the call of an `aws` command, or None for `aws cloudformation deploy`.

    Raises Mistaken for an invalid command.
    """
    _, service, name, *rest = words
    waiter, rest = (rest[0], rest[1:]) if name == "wait" else ("", rest)
    options = dict(_options(rest))
    if (service, name) == ("cloudformation", "deploy"):
        _must_be_known(options.keys() - OF_DEPLOY - OF_EVERY_COMMAND)
        return None
    operation = _operation(service, name, waiter)
    parameters = dict(_parameters(operation, options))
    for fault in botocore_model.faults(operation.input_shape, parameters):
        raise Mistaken(fault)
    if "query" in options:
        _must_be_in(operation.output_shape, options["query"][0])
    return Call(service, operation.name, parameters, (options.get("region") or [""])[0], waiter.replace("-", "_"))


def _options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    name, values = "", list[str]()
    for word in words:
        if word.startswith("--"):
            if name:
                yield name, values
            name, values = word[2:], []
        elif not name:
            raise Mistaken(f"{word} belongs to no option")
        else:
            values.append(word)
    if name:
        yield name, values


@cache
def _operation(service: str, name: str, waiter: str) -> OperationModel:
    try:
        model = _SESSION.get_service_model(service)
    except UnknownServiceError as error:
        raise Mistaken(f"there is no service {service}") from error
    if waiter:
        waits = _SESSION.get_waiter_model(service)
        named = {xform_name(each, "-"): each for each in waits.waiter_names}
        if waiter not in named:
            raise Mistaken(f"{service} waits for no {waiter}")
        return model.operation_model(waits.get_waiter(named[waiter]).operation)
    operations = {xform_name(each, "-"): each for each in model.operation_names}
    if name not in operations:
        raise Mistaken(f"{service} has no {name}")
    return model.operation_model(operations[name])


def _parameters(operation: OperationModel, options: dict[str, list[str]]) -> Iterator[tuple[str, Any]]:
    shape = operation.input_shape
    members = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()} if shape else {}
    unknown = set()
    for option, values in options.items():
        is_off = option.startswith("no-") and option not in members
        name, member = members.get(option.removeprefix("no-") if is_off else option, ("", None))
        if member is None or (is_off and member.type_name != "boolean"):
            unknown.add(option)
        elif member.type_name == "boolean":
            if values:
                raise Mistaken(f"--{option} takes no value")
            yield name, not is_off
        elif not values:
            raise Mistaken(f"--{option} has no value")
        else:
            yield name, _given(member, values)
    _must_be_known(unknown - OF_EVERY_COMMAND)


def _must_be_known(unknown: set[str]) -> None:
    if unknown:
        raise Mistaken(f"unknown: {', '.join(sorted(unknown))}")


def _given(shape: Shape, words: list[str]) -> Any:
    """Return the value of an option, which is JSON, the shorthand `key=value,…`, or a scalar."""
    if isinstance(shape, ListShape) and not words[0].startswith("["):
        return [_given(shape.member, [word]) for word in words]
    if len(words) > 1:
        raise Mistaken(f"{' '.join(words[1:])} is too much")
    (word,) = words
    if word.startswith("file://"):
        return "from a file"
    if isinstance(shape, StructureShape | MapShape | ListShape):
        return json.loads(word) if word[0] in "[{" else _short(shape, word)
    return _scalar(shape, word)


def _short(shape: Shape, word: str) -> dict[str, Any]:
    if not isinstance(shape, StructureShape):
        raise Mistaken(f"{word} should be JSON")
    pairs = dict(pair.split("=", 1) for pair in word.split(","))
    _must_be_known(pairs.keys() - shape.members.keys())
    return {name: _scalar(shape.members[name], value) for name, value in pairs.items()}


def _scalar(shape: Shape, word: str) -> Any:
    match shape.type_name:
        case "boolean":
            return {"true": True, "false": False}[word]
        case "integer" | "long":
            return int(word)
        case "double" | "float":
            return float(word)
    return word


def _must_be_in(shape: Shape | None, query: str) -> None:
    """Raise Mistaken for a `--query` of a field that the response doesn't have, for which the CLI would print
    `null`.
    """
    for name in re.findall(r"\w+", query):
        while isinstance(shape, ListShape):
            shape = shape.member
        if not isinstance(shape, StructureShape) or name not in shape.members:
            raise Mistaken(f"the answer has no {name}")
        shape = shape.members[name]
