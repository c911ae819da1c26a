"""The blocks of docs/scale.md that `make simulate` writes."""

from collections.abc import Mapping

from infra.simulate import input_tables, result_tables
from infra.simulate.result_tables import Outcomes

_BEGIN, _END = "<!-- simulate: {} -->\n", "<!-- /simulate -->"


def blocks(outcomes: Outcomes) -> dict[str, str]:
    """Return every block of the page by its name."""
    return input_blocks() | {
        "exactness": result_tables.exactness(outcomes),
        "latency": result_tables.latency(outcomes),
        "costs": result_tables.costs(outcomes),
        "limits": result_tables.limits(outcomes),
        "hot": result_tables.hot(outcomes),
        "rough": result_tables.rough(outcomes),
    }


def input_blocks() -> dict[str, str]:
    """Return the blocks that depend on the simulation's inputs only."""
    return {"defaults": input_tables.defaults(), "assumptions": input_tables.assumptions()}


def rewritten(page: str, written: Mapping[str, str]) -> str:
    """Return the page with its blocks written anew. Raises ValueError when it lacks one."""
    for name, block in written.items():
        before, begin, rest = page.partition(_BEGIN.format(name))
        _, end, after = rest.partition(_END)
        if not begin or not end:
            raise ValueError(f"docs/scale.md has no place for {name!r}")
        page = before + begin + block + end + after
    return page
