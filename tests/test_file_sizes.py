"""A file has one subject and a limited number of lines."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT_LINES_MAX, TEST_LINES_MAX = 250, 350


def test_no_file_is_too_long() -> None:
    """No file exceeds the maximum number of lines; a longer file has to be split by subject."""
    limits = {"chalicelib": PRODUCT_LINES_MAX, "infra": PRODUCT_LINES_MAX, "tests": TEST_LINES_MAX}
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in limits
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: lines for name, lines in sizes.items() if lines > limits[name.split("/")[0]]} == {}


def test_no_module_only_re_exports() -> None:
    """No package re-exports names: a name is imported from the file that defines it."""
    packages = [path for path in (ROOT / "chalicelib").rglob("__init__.py") if path.read_text()]
    assert [path for path in packages if not _is_docstring(ast.parse(path.read_text()))] == []


def _is_docstring(module: ast.Module) -> bool:
    return len(module.body) == 1 and ast.get_docstring(module) is not None
