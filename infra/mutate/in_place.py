"""Mutate a module in a process that has already imported it, which saves the time of the import.

The code of functions and the values of constants can be replaced. Other code that runs at import, such as a default
argument, a decorator or a class body, can only be mutated in the file.
"""

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

PACKAGES = ("app", "chalicelib", "infra", "tests")


def replace(module: ModuleType, source: str, mutated: str) -> bool:
    """Apply a mutation of a module's source to the imported module; return whether this was possible.

    If it wasn't possible, the module may be partly changed, and results of tests in this process are meaningless.
    """
    return _replace_code(module, source, mutated) or _replace_values(module, source, mutated)


def _replace_code(module: ModuleType, source: str, mutated: str) -> bool:
    file = module.__file__ or ""
    before, after = (compile(text, file, "exec", dont_inherit=True) for text in (source, mutated))
    functions = _functions(module)
    if not _differ_in_functions_only(before, after, functions):
        return False
    old, new = _codes(before), _codes(after)
    changed = [name for name in functions if name in old and name in new and not _same(old[name], new[name])]
    for name in changed:
        for function in functions[name]:
            if function.__code__.co_freevars != new[name].co_freevars:
                return False
            function.__code__ = new[name]
    _clear_caches(module)
    return bool(changed)


def _replace_values(module: ModuleType, source: str, mutated: str) -> bool:
    """Assign changed constants and the constants derived from them, in the module and in modules that import them."""
    old, new = ast.parse(source).body, ast.parse(mutated).body
    changed: dict[str, Any] = {}
    for before, after in zip(old, new, strict=False):
        if ast.dump(before) == ast.dump(after) and not changed.keys() & _read_at_import(after):
            continue
        names = _assigned_names(after)
        if not names or names != _assigned_names(before):
            return False
        changed |= {name: vars(module)[name] for name in names}
        exec(compile(ast.Module([after], []), module.__file__ or "", "exec"), vars(module))  # noqa: S102 - our own source
    others = [each for name, each in sys.modules.items() if name.split(".")[0] in PACKAGES and each is not module]
    if len(old) != len(new) or not changed or any(changed.keys() & _read_by(each) for each in others):
        return False
    for name, value in changed.items():
        for each in others:
            if vars(each).get(name) is value:
                setattr(each, name, vars(module)[name])
    _clear_caches(module)
    return True


def _assigned_names(statement: ast.stmt) -> list[str]:
    """Return the names that an assignment binds; empty for other statements."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [each.id for each in targets if isinstance(each, ast.Name)]


@functools.cache
def _read_by(module: ModuleType) -> frozenset[str]:
    """Return the names and attributes that a module reads while it is imported."""
    try:
        tree = ast.parse(Path(getattr(module, "__file__", None) or "").read_text())
    except OSError:
        return frozenset()
    return frozenset().union(*map(_read_at_import, tree.body))


def _read_at_import(node: ast.AST) -> frozenset[str]:
    """Return the names and attributes that a statement reads at import. The bodies of functions are ignored."""
    parts: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = (*node.args.defaults, *(each for each in node.args.kw_defaults if each))
        parts = (*node.decorator_list, *defaults)
    own = {node.id} if isinstance(node, ast.Name) else {node.attr} if isinstance(node, ast.Attribute) else set()
    return frozenset(own).union(*map(_read_at_import, parts))


def _functions(module: ModuleType) -> dict[str, list[FunctionType]]:
    """Return a module's own functions by qualified name, including decorated ones, properties and methods."""
    found: dict[str, list[FunctionType]] = {}
    seen: set[int] = set()
    waiting: list[Any] = list(vars(module).values())
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, FunctionType) and each.__code__.co_filename == module.__file__:
            found.setdefault(each.__qualname__, []).append(each)
        waiting += _within(each, module)
    return found


def _within(value: Any, module: ModuleType) -> Iterator[Any]:
    """Yield the objects inside a decorated function, a property or a class, which may be functions."""
    if isinstance(value, FunctionType):
        yield from (cell.cell_contents for cell in value.__closure__ or () if _is_set(cell))
    if isinstance(value, property):
        yield from (value.fget, value.fset)
    if isinstance(value, functools.cached_property):
        yield value.func
    if isinstance(value, type) and value.__module__ == module.__name__:
        yield from vars(value).values()
    if isinstance(value, FunctionType | classmethod | staticmethod | functools._lru_cache_wrapper):
        yield getattr(value, "__wrapped__", None)


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _codes(code: CodeType) -> dict[str, CodeType]:
    """Return the nested code objects by qualified name. If several have the same name, return only the first."""
    found: dict[str, CodeType] = {}
    for each in code.co_consts:
        if isinstance(each, CodeType):
            found.setdefault(each.co_qualname, each)
            found = _codes(each) | found
    return found


def _same(one: Any, other: Any) -> bool:
    """Return whether two constants are equal, ignoring the line numbers of code objects."""
    if not (isinstance(one, CodeType) and isinstance(other, CodeType)):
        return type(one) is type(other) and repr(one) == repr(other)
    return _same_but_for_constants(one, other) and all(map(_same, one.co_consts, other.co_consts))


def _same_but_for_constants(one: CodeType, other: CodeType) -> bool:
    names = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_exceptiontable", "co_flags")
    return len(one.co_consts) == len(other.co_consts) and all(getattr(one, n) == getattr(other, n) for n in names)


def _differ_in_functions_only(one: CodeType, other: CodeType, functions: dict[str, list[FunctionType]]) -> bool:
    """Return whether two modules or class bodies are equal, ignoring the code of the given functions."""
    return _same_but_for_constants(one, other) and all(
        _differ_in_functions_only(a, b, functions)
        if isinstance(a, CodeType) and isinstance(b, CodeType) and a.co_qualname not in functions
        else isinstance(a, CodeType) or _same(a, b)
        for a, b in zip(one.co_consts, other.co_consts, strict=True)
    )


def _clear_caches(module: ModuleType) -> None:
    for each in vars(module).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()
