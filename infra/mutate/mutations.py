"""List the possible mutations of files, and apply one of them. Runs in the environment with cosmic-ray.

cosmic-ray can change operators, comparisons, numbers and loops, but not remove code, although missing code is the most
common defect. This module adds two mutation operators: one removes a statement, the other an argument or an entry.
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
"""The mutation operators in use. Operators whose mutants would fail the same tests are omitted."""


class DropStatement:
    """A mutation operator that removes a statement with an effect: a call, `raise`, `return` or an assignment."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the position of each statement that this operator can remove."""
        if node.parent is not None and node.parent.type == "simple_stmt" and self._has_effect(node):
            yield node.start_pos, node.end_pos

    @staticmethod
    def _has_effect(node: Any) -> bool:
        if node.type == "expr_stmt":
            # Don't remove assignments to a name: most of these mutants would only raise a NameError.
            return bool(node.children[1].type != "operator" or node.children[0].type != "name")
        return str(node.type) in ("atom_expr", "power", "raise_stmt", "return_stmt")

    def mutate(self, node: Any, _index: int) -> Any:
        """Replace the statement by `pass`."""
        return parso.python.tree.Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)


class DropEntry:
    """A mutation operator that removes a keyword argument, or an entry of a list, set, tuple or dictionary."""

    KINDS = ("arglist", "testlist_comp", "dictorsetmaker")
    """The types of syntax nodes with entries. Positional arguments aren't removed, since most calls would fail."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the position of each entry that this operator can remove."""
        if node.type in self.KINDS and not any(child.type.endswith("comp_for") for child in node.children):
            yield from ((entry[0].start_pos, entry[-1].end_pos) for entry in self._entries(node))

    def mutate(self, node: Any, index: int) -> Any:
        """Remove the entry and the comma after it."""
        entries = self._entries(node)
        removed = entries[index]
        last = node.children.index(removed[-1])
        comma = node.children[last + 1 : last + 2]
        node.children = [child for child in node.children if child not in removed and child not in comma]
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
    """Return all mutation operators in use by name."""
    chosen: dict[str, Any] = {name: plugins.get_operator(f"core/{name}")() for name in CHOSEN}
    return chosen | {"DropStatement": DropStatement(), "DropEntry": DropEntry()}


def places(path: str, source: str) -> Iterator[dict[str, Any]]:
    """Yield each possible mutation of a file: its operator, number, lines and function."""
    left_out, functions, tree = _excluded(source), _functions(source), get_ast(source)
    for name, operator in operators().items():
        for occurrence, (start, end) in enumerate(_positions(tree, operator)):
            if not any(first <= start < last for first, last in left_out):
                function = next((name for name, first, last in functions if first <= start[0] <= last), "")
                place = {"path": path, "operator": name, "occurrence": occurrence, "function": function}
                yield place | {"line": start[0], "ends": end[0]}


def mutate(source: str, operator: str, occurrence: int) -> dict[str, Any] | None:
    """Apply a mutation and return its removed and added lines; None if the result has a syntax error."""
    changed = MutationVisitor.mutate_code(source, operators()[operator], occurrence)
    return _patch(source, changed) if changed is not None and changed != source and _compiles(changed) else None


def _positions(node: Any, operator: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the positions that an operator can mutate, in cosmic-ray's order."""
    yield from operator.mutation_positions(node)
    for child in getattr(node, "children", ()):
        yield from _positions(child, operator)


def _excluded(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the positions that aren't mutated: annotations, dataclass decorators and TYPE_CHECKING.

    mypy checks them. Mutants of `frozen` and `slots` would survive, since the code never assigns to a frozen object,
    and slots only save memory.
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
    """Return the name, the first and the last line of each function, nested functions first."""
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
    """Return the difference of two sources: the removed lines (`before`, from `line`) and the added ones (`after`)."""
    old, new = source.split("\n"), changed.split("\n")
    first = next(at for at, (one, other) in enumerate(zip([*old, None], [*new, None], strict=False)) if one != other)
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    return {"line": first + 1, "before": old[first : len(old) - last], "after": new[first : len(new) - last]}


if __name__ == "__main__":
    for request in map(json.loads, sys.stdin):
        text = Path(request["path"]).read_text()
        if "operator" in request:
            print(json.dumps(mutate(text, request["operator"], request["occurrence"])), flush=True)
        else:
            print(json.dumps(list(places(request["path"], text))), flush=True)
