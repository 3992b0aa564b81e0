"""The list of known bugs is complete, and every test it names is there and says what it shows."""

import ast
from functools import cache
from pathlib import Path

import pytest
from bug_index import ABSENT, BUGS, VENUE

ROWS = 27
"""Rows of the list of what broke real bots at this venue."""

ROOT = Path(__file__).parents[2]


@cache
def shown_in(path: str) -> dict[str, str]:
    """Every test that pytest collects from a module by its name in the module, with what its docstrings say."""
    tree = ast.parse((ROOT / path).read_text())
    found = dict(_tests(tree.body, ""))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= dict(_tests(node.body, f"{node.name}::"))
    return found


def _tests(body: list[ast.stmt], prefix: str) -> list[tuple[str, str]]:
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(prefix + node.name, ast.get_docstring(node) or "") for node in functions if node.name.startswith("test_")]


@pytest.mark.parametrize("name", BUGS)
def test_each_bug_has_a_source_and_tests_that_exist(name: str) -> None:
    bug = BUGS[name]
    assert bug.what
    assert bug.source
    assert bug.tests
    for test in bug.tests:
        path, _, function = test.partition("::")
        assert function in shown_in(path), f"{test} is not there any more: name the test that shows it now"


def test_every_row_of_the_venues_list_is_there() -> None:
    assert list(VENUE) == [str(number) for number in range(1, ROWS + 1)]


def test_every_test_of_this_folder_cites_its_source_and_is_in_the_list() -> None:
    """A named bug that nobody can look up, or that no list leads to, is worth little."""
    named = {test for bug in BUGS.values() for test in bug.tests}
    for path in ("tests/bugs/test_on_the_wire.py", "tests/bugs/test_cancels.py"):
        for function, docstring in shown_in(path).items():
            assert f"{path}::{function}" in named, f"{function} is not in the list"
            assert any(mark in docstring for mark in ("http", "@", "#", "client", "report")), f"{function}: no source"


def test_what_cannot_show_says_why() -> None:
    assert all(":" in why for why in ABSENT.values())
