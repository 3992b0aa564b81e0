"""The list of known bugs is complete, and every test it names is there and says what it shows."""

import ast
import fnmatch
from functools import cache
from pathlib import Path

import pytest
from bug_index import ABSENT, BUGS, VENUE
from bug_index_kalshi import KALSHI, SECTIONS
from bug_index_pairs import PAIRED, UNUSED

ROWS = 27
"""Rows of the list of what broke real bots at this venue."""

CHAPTERS = dict(
    zip(
        ("1.2", "2.6", "2.7", "2.8", "3.1", "3.2", "3.3", "3.4", "3.5", "4.3", "4.4", "5", "6", "7"),
        (6, 13, 6, 7, 5, 6, 2, 5, 4, 7, 8, 8, 7, 20),
        strict=True,
    )
)
"""How many traps each chapter of what is known of Kalshi, and of pairs with it, has."""

FOLDER = ("test_on_the_wire", "test_on_two_venues", "test_at_kalshi", "test_cancels")

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
        assert fnmatch.filter(shown_in(path), function), (
            f"{test} is not there any more: name the test that shows it now"
        )


def test_every_row_of_the_venues_list_is_there() -> None:
    assert list(VENUE) == [str(number) for number in range(1, ROWS + 1)]


def test_every_trap_of_kalshi_is_there_once() -> None:
    """Each with tests, or with the reason why it cannot show; none in both, none left out."""
    assert list(SECTIONS) == list(CHAPTERS)
    known = [*KALSHI, *PAIRED, *UNUSED]
    wanted = [f"{chapter}.{number}" for chapter, most in CHAPTERS.items() for number in range(1, most + 1)]
    assert sorted(known) == sorted(wanted)


def test_every_test_of_this_folder_cites_its_source_and_is_in_the_list() -> None:
    """A named bug that nobody can look up, or that no list leads to, is worth little."""
    named = {test for bug in BUGS.values() for test in bug.tests}
    for path in (f"tests/bugs/{name}.py" for name in FOLDER):
        for function, docstring in shown_in(path).items():
            assert f"{path}::{function}" in named, f"{function} is not in the list"
            assert any(mark in docstring for mark in ("http", "@", "#", "client", "report")), f"{function}: no source"


def test_what_cannot_show_says_why() -> None:
    assert all(":" in why for why in (ABSENT | UNUSED).values())
