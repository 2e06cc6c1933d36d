"""``ops/reliability.md`` is what was measured, and names tests that exist."""

import ast

import msgspec
import pytest

from tests.faults.matrix import PAGE, RESULTS, ROOT, ROWS, Row, page
from tests.faults.report import Result


def functions(path: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_every_row_names_tests_that_exist(row: Row) -> None:
    assert row.control or row.without
    for name in filter(None, (row.test, row.control)):
        path, _, function = name.partition("::")
        assert function in functions(path), name


def test_every_test_of_a_fault_has_a_row() -> None:
    named = {row.test for row in ROWS} | {row.control for row in ROWS}
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        if path.name not in ("test_matrix.py", "test_proxy.py"):
            name = path.relative_to(ROOT).as_posix()
            for function in functions(name):
                assert not function.startswith("test_") or f"{name}::{function}" in named, f"{name}::{function}"


def test_the_page_is_made_of_the_results() -> None:
    by_test: dict[str, list[Result]] = {}
    for result in msgspec.json.decode(RESULTS.read_bytes(), type=list[Result]):
        by_test.setdefault(result.test, []).append(result)
    assert PAGE.read_text() == page(by_test), "python -m tests.faults.matrix"
