"""Lists where files can be mutated, and makes a mutation. Runs in the environment that holds cosmic-ray.

cosmic-ray's operators change operators, comparisons, numbers and loops. It has none that leaves something out, which is
what most promises are lost by, so two of ours, in its own form, do: a statement, and an entry of a call or a display.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parso  # type: ignore[import-not-found]  # cosmic-ray's environment has it
from cosmic_ray import plugins  # type: ignore[import-not-found]  # as above
from cosmic_ray.ast import get_ast  # type: ignore[import-not-found]  # as above
from cosmic_ray.mutating import MutationVisitor  # type: ignore[import-not-found]  # as above

CHOSEN = (
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Mod_Add", "BitOr_BitAnd", "BitAnd_BitOr")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_Gt", "LtE_Gt", "Gt_Lt", "GtE_Lt", "Is_IsNot", "IsNot_Is")),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Invert"),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "NumberReplacer", "ZeroIterationForLoop"),
)
"""Those whose mutants differ from each other: eleven replacements of one `+` say no more than one does."""


class DropStatement:
    """Leaves out a statement with an effect of its own: a call, a raise, an assignment to what is there."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield where such a statement stands."""
        if node.parent is not None and node.parent.type == "simple_stmt" and self._acts(node):
            yield node.start_pos, node.end_pos

    @staticmethod
    def _acts(node: Any) -> bool:
        if node.type == "expr_stmt":
            # A name that is bound for the first time would only be missing.
            return bool(node.children[1].type != "operator" or node.children[0].type != "name")
        return str(node.type) in ("atom_expr", "power", "raise_stmt", "return_stmt")

    def mutate(self, node: Any, _index: int) -> Any:
        """Put nothing in its place."""
        return parso.python.tree.Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)


class DropEntry:
    """Leaves out one entry of a call's arguments or of a list, set, tuple or dictionary that is written out."""

    KINDS = ("arglist", "testlist_comp", "dictorsetmaker")
    """Of a call's arguments only those with a name: without another one, it would mostly be no call at all."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield where each entry stands."""
        if node.type in self.KINDS and not any(child.type.endswith("comp_for") for child in node.children):
            yield from ((entry[0].start_pos, entry[-1].end_pos) for entry in self._entries(node))

    def mutate(self, node: Any, index: int) -> Any:
        """Leave the entry out, and the comma behind it."""
        entries = self._entries(node)
        gone = entries[index]
        last = node.children.index(gone[-1])
        comma = node.children[last + 1 : last + 2]
        node.children = [child for child in node.children if child not in gone and child not in comma]
        return node

    @staticmethod
    def _entries(node: Any) -> list[list[Any]]:
        entries: list[list[Any]] = [[]]
        for child in node.children:
            if child.type == "operator" and child.value == ",":
                entries.append([])
            else:
                entries[-1].append(child)
        return [entry for entry in entries if entry and (node.type != "arglist" or entry[0].type == "argument")]


def operators() -> dict[str, Any]:
    """Return every operator by its name."""
    chosen: dict[str, Any] = {name: plugins.get_operator(f"core/{name}")() for name in CHOSEN}
    return chosen | {"DropStatement": DropStatement(), "DropEntry": DropEntry()}


def places(path: str, source: str) -> Iterator[dict[str, Any]]:
    """Yield where each mutation of a file is: its operator, which of that one's it is, its lines, its function."""
    left_out, functions, tree = _left_out(source), _functions(source), get_ast(source)
    for name, operator in operators().items():
        for occurrence, (start, end) in enumerate(_positions(tree, operator)):
            if not any(first <= start < last for first, last in left_out):
                function = next((name for name, first, last in functions if first <= start[0] <= last), "")
                place = {"path": path, "operator": name, "occurrence": occurrence, "function": function}
                yield place | {"line": start[0], "ends": end[0]}


def made(source: str, operator: str, occurrence: int) -> dict[str, Any] | None:
    """Return what one mutation changes: which lines go, which come. None where that is no program any more."""
    changed = MutationVisitor.mutate_code(source, operators()[operator], occurrence)
    return _patch(source, changed) if changed is not None and changed != source and _compiles(changed) else None


def _positions(node: Any, operator: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every position in the order in which cosmic-ray counts them."""
    yield from operator.mutation_positions(node)
    for child in getattr(node, "children", ()):
        yield from _positions(child, operator)


def _left_out(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where annotations stand, what makes a class a dataclass, and TYPE_CHECKING: what they say, mypy holds.

    Nothing assigns to a frozen object; what its slots save is memory.
    """
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        found += [each for name in ("annotation", "returns") if (each := getattr(node, name, None)) is not None]
        if isinstance(node, ast.ClassDef):
            found += [each for each in node.decorator_list if ast.unparse(each).startswith("dataclass")]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found.append(node.test)
    return [((each.lineno, each.col_offset), (each.end_lineno or 0, each.end_col_offset or 0)) for each in found]


def _functions(source: str) -> list[tuple[str, int, int]]:
    """Return the name and the lines of each function, the innermost first."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return sorted(
        ((node.name, node.lineno, node.end_lineno or 0) for node in found), key=lambda each: each[2] - each[1]
    )


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _patch(source: str, changed: str) -> dict[str, Any]:
    """Return which lines go (from `line`, so many as `before` has) and which come."""
    old, new = source.split("\n"), changed.split("\n")
    first = next(at for at, (one, other) in enumerate(zip([*old, None], [*new, None], strict=False)) if one != other)
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return {"line": first + 1, "before": old[first : len(old) - last], "after": new[first : len(new) - last]}


if __name__ == "__main__":
    for asked in map(json.loads, sys.stdin):
        text = Path(asked["path"]).read_text()
        if "operator" in asked:
            print(json.dumps(made(text, asked["operator"], asked["occurrence"])), flush=True)
        else:
            print(json.dumps(list(places(asked["path"], text))), flush=True)
