"""Write the generated tables of docs/scale.md for `make simulate`."""

from collections.abc import Mapping

from infra.simulate import input_tables, result_tables
from infra.simulate.result_tables import Outcomes

_BEGIN, _END = "<!-- simulate: {} -->\n", "<!-- /simulate -->"


def blocks(outcomes: Outcomes) -> dict[str, str]:
    """Return all generated blocks of the page by name."""
    return input_blocks() | {
        "exactness": result_tables.exactness(outcomes),
        "latency": result_tables.latency(outcomes),
        "costs": result_tables.costs(outcomes),
        "limits": result_tables.limits(outcomes),
        "hot": result_tables.hot(outcomes),
        "rough": result_tables.rough(outcomes),
    }


def input_blocks() -> dict[str, str]:
    """Return the blocks that depend only on the simulation's inputs."""
    return {"defaults": input_tables.defaults(), "assumptions": input_tables.assumptions()}


def replace_blocks(page: str, blocks: Mapping[str, str]) -> str:
    """Return the page with new contents for its blocks. Raises ValueError if the page lacks a block."""
    for name, block in blocks.items():
        before, begin, rest = page.partition(_BEGIN.format(name))
        _, end, after = rest.partition(_END)
        if not begin or not end:
            raise ValueError(f"docs/scale.md has no place for {name!r}")
        page = before + begin + block + end + after
    return page
