"""Private words stay out of code and documents: each idea has one name, which a search engine knows.

The vocabulary is in docs/architecture.md. A word is allowed where it is frozen or has another meaning, with the reason.
"""

import ast
import builtins
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRIVATE = {
    r"whoever": "the caller, the client, the sender",
    r"a stranger|strangers": "an anonymous caller",
    r"a yes|said no\b|told no\b|says no\b": "approved, denied",
    r"the (?:account's )?person|its person|people who": "the user; in OAuth the resource owner",
    r"verdicts?": "principal; verification",
    r"traits?|learnt|old news": "recorded usage; delta; already recorded",
    r"letterbox": "mailbox, emails",
    r"unproven|proven address": "unverified, verified",
    r"visitors?": "client address; console client",
    r"this house|the house|a house|houses": "the test app",
    r"(?<!there )(?:is|are) none\b(?! else)": "say what it is instead",
    r"of late\b": "recently",
    r"by lot": "at random",
    r"let go of|lets go": "release",
    r"goes on(?! [a-z]+ing)": "continues",
    r"lies? (?:in|there|at)\b|lives in|stands? (?:in|there|beside|for)\b": "is",
    r"Tell whether": "Return whether",
    r"courier|post office": "background process; fake SES",
}
"""The replacement for each word."""
FORBIDDEN = re.compile("|".join(rf"(?P<w{at}>\b(?:{words}))" for at, words in enumerate(PRIVATE)))
ALLOWED = {
    "docs/rest-api.md: verdict": "part of published schema names, like VerdictAdmitted",
}
"""The reason for each exception, by `path: phrase`."""


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file by line: the comments and strings of code, and every line of any other file."""
    text = path.read_text()
    if path.suffix != ".py":
        prose = re.sub(r"{[{%].*?[%}]}", "", text) if path.suffix == ".html" else text
        yield from enumerate(prose.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def files() -> list[Path]:
    """Return every file whose prose is checked."""
    kinds = ("*.py", "*.html", "*.md", "*.yaml")
    folders = ("chalicelib", "infra", "tests", "docs")
    found = [path for folder in folders for kind in kinds for path in (ROOT / folder).rglob(kind)]
    return sorted([*found, ROOT / "README.md", ROOT / "app.py"])


@pytest.mark.parametrize("folder", ["chalicelib", "infra", "tests", "docs", "README.md"])
def test_private_words_stay_out(folder: str) -> None:
    """No file contains a private word, whose meaning newcomers would have to guess."""
    found = []
    for path in files():
        name = str(path.relative_to(ROOT))
        if not name.startswith(folder) or path == Path(__file__):
            continue
        for line, text in sentences(path):
            for match in FORBIDDEN.finditer(text):
                word = list(PRIVATE)[int((match.lastgroup or "w0")[1:])]
                if f"{name}: {match[0]}" not in ALLOWED:
                    found.append(f"{name}:{line}: {match[0]!r}: {PRIVATE[word]}")
    assert found == []


def test_exceptions_in_docstrings_exist() -> None:
    """Every class that a docstring says is raised is defined or imported somewhere."""
    nodes = [
        (str(path.relative_to(ROOT)), node)
        for path in (ROOT / "chalicelib").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
    ]
    known = {node.name for _, node in nodes if isinstance(node, ast.ClassDef)}
    known |= {each.asname or each.name for _, node in nodes if isinstance(node, ast.ImportFrom) for each in node.names}
    named = {
        (path, name)
        for path, node in nodes
        if isinstance(node, ast.FunctionDef)
        for name in re.findall(r"\b[Rr]aises? ([A-Z]\w+)", ast.get_docstring(node) or "")
    }
    assert {(path, name) for path, name in named if name not in known and not hasattr(builtins, name)} == set()
