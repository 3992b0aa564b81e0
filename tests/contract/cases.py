"""The numbered cases as the test files have them, and the table of them for the documents.

`python -m contract.cases` (in tests/) prints the table.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("placing", "unknown", "cancelling", "streams", "books", "account", "markets", "life")
"""Every file of cases, in the order of their numbers."""


@dataclass(frozen=True, slots=True)
class Case:
    """One numbered case: where it stands, what it says, which fixtures it uses."""

    number: int
    file: str
    function: str
    text: str
    fixtures: tuple[str, ...]


def cases() -> list[Case]:
    """All of them, in the order of the files."""
    return [case for file in FILES for case in _cases_of(file)]


def _cases_of(file: str) -> Iterator[Case]:
    for node in ast.parse((HERE / f"test_{file}.py").read_text()).body:
        if isinstance(node, ast.AsyncFunctionDef) and (named := re.fullmatch(r"test_c(\d\d)_\w+", node.name)):
            text = ast.get_docstring(node) or ""
            fixtures = tuple(argument.arg for argument in node.args.args)
            yield Case(int(named[1]), file, node.name, text, fixtures)


def table() -> str:
    """The cases as a Markdown table."""
    rows = ["| case | file | behaviour |", "|---|---|---|"]
    for case in cases():
        number, _, text = case.text.partition(" ")
        rows.append(f"| {number} | {case.file} | {text} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
