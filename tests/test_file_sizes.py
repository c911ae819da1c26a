"""A file is one concept, and short enough to be read at once."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT_LINES_MAX, TEST_LINES_MAX = 250, 350


def test_no_file_is_too_long() -> None:
    """A longer file is split by subject."""
    limits = {"chalicelib": PRODUCT_LINES_MAX, "infra": PRODUCT_LINES_MAX, "tests": TEST_LINES_MAX}
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in limits
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: lines for name, lines in sizes.items() if lines > limits[name.split("/")[0]]} == {}


def test_no_module_only_re_exports() -> None:
    """A name is imported from the file that defines it; a package has a docstring at most."""
    packages = [path for path in (ROOT / "chalicelib").rglob("__init__.py") if path.read_text()]
    assert [path for path in packages if not _is_docstring(ast.parse(path.read_text()))] == []


def _is_docstring(module: ast.Module) -> bool:
    return len(module.body) == 1 and ast.get_docstring(module) is not None
