"""The suite itself: numbered without a hole, the same for every venue, and documented as it is."""

import ast
import re
from pathlib import Path

import pytest

from . import benches
from .cases import FILES, HERE, cases, table
from .conftest import BENCHES

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-venue.md"


def test_every_case_has_its_number_and_one_test():
    """C01, C02 ... in the order of the files; each says its number and its behaviour in one line."""
    found = cases()
    assert [case.number for case in found] == list(range(1, len(found) + 1))
    for case in found:
        assert re.fullmatch(rf"C{case.number:02d} [A-Z0-9`].+\.", case.text), case.function


def test_every_test_of_the_files_is_a_case():
    """Nothing runs beside the numbered cases."""
    for file in HERE.glob("test_*.py"):
        tests = re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.M)
        if file.stem.removeprefix("test_") in FILES:
            assert tests == [case.function for case in cases() if f"test_{case.file}" == file.stem]
        else:
            assert file.stem == "test_suite"


def test_every_case_runs_on_every_bench():
    """By its fixtures, and no case knows which venue it is on."""
    assert all({"bench", "desk", "offered", "streamed"} & set(case.fixtures) for case in cases())
    for file in FILES:
        text = (HERE / f"test_{file}.py").read_text()
        assert not re.search(r"polymarket|kalshi|\.name ==|lacks", text, re.I), file


@pytest.mark.parametrize("bench", BENCHES.values(), ids=BENCHES)
def test_what_a_bench_lacks_has_a_reason(bench, tmp_path):
    """A whole sentence, which a skipped case prints; what is not lacking is there."""
    made = bench(tmp_path)
    for lack, reason in made.lacks.items():
        assert isinstance(lack, benches.Trouble | benches.Feature)
        assert len(reason) > 40
        assert reason[0].isupper()
        assert reason.endswith(".")
    assert len(made.markets) == len(set(made.markets)) >= 3
    assert set(made.titles) == set(made.markets)


def test_the_document_has_every_case():
    """docs/adding-a-venue.md has the table that `python -m contract.cases` prints."""
    text = DOCUMENT.read_text()
    assert table() in text, "put the output of `cd tests && python -m contract.cases` into the document"
    assert f": {len(cases())} numbered execution cases" in text


def test_the_document_has_every_trouble_and_every_method_of_a_bench():
    """What the author of a venue must write is listed there by name."""
    text = DOCUMENT.read_text()
    tree = ast.parse((HERE / "benches.py").read_text())
    (bench,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Bench"]
    methods = [node.name for node in bench.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = [*methods, *benches.Trouble.__members__, *benches.Feature.__members__]
    assert [name for name in names if f"`{name}" not in text] == []
