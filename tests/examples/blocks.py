"""The fenced code blocks of a Markdown file, each with its heading."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_HEADING = re.compile(r"#{1,6} (.+)")
_FILE = re.compile(r'"""([\w/]+\.py): ')
_FENCE = re.compile(r"```(\w*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block, with the language of its fence and the nearest heading above it."""

    heading: str
    language: str
    code: str


def blocks_of(document: str) -> list[Block]:
    """Return the blocks of a file of this repository, in order."""
    found: list[Block] = []
    heading, language = "", ""
    lines: list[str] | None = None
    for line in (ROOT / document).read_text().splitlines():
        fence = _FENCE.fullmatch(line)
        if lines is not None and line == "```":
            found.append(Block(heading, language, "\n".join(lines) + "\n"))
            lines = None
        elif lines is not None:
            lines.append(line)
        elif fence:
            language, lines = fence[1], []
        elif title := _HEADING.fullmatch(line):
            heading = title[1]
    return found


def files_of(document: str) -> dict[str, str]:
    """Return the blocks that are whole files, by the path with which their docstring begins."""
    blocks = [(_FILE.match(block.code), block.code) for block in blocks_of(document)]
    return {named[1]: code for named, code in blocks if named}
