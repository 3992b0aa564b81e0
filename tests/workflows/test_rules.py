"""Rules that the code of `arbsaga/saga` and `workflows/` must keep, or a replay goes another way."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORY = [path for path in (ROOT / "arbsaga" / "saga").rglob("*.py") if "simulator" not in path.parts]
DURABLE = [*(ROOT / "workflows").glob("*.py"), *STORY]
"""The simulator is the other runtime: it makes its own clock and chance."""
PURE = ("arbsaga.domain", "arbsaga.saga", "arbsaga.risk", "arbsaga.errors")

FORBIDDEN = {
    "TaskGroup": "cancelling siblings gave legs each other's results on replay",
    "as_completed": "its order is the order of arrival",
    "timeout": "a cancelled activity is no TimeoutError",
    "timeout_at": "a cancelled activity is no TimeoutError",
    "wait_for": "it can swallow a cancellation",
    "wait": "it iterates over a set",
    "now": "the clock is the effect's",
    "time": "the clock is the effect's",
    "time_ns": "the clock is the effect's",
    "monotonic": "the clock is the effect's",
    "monotonic_ns": "the clock is the effect's",
    "perf_counter": "the clock is the effect's",
    "utcnow": "the clock is the effect's",
    "random": "chance is the effect's",
    "uuid4": "chance is the effect's",
    "urandom": "chance is the effect's",
    "token_hex": "chance is the effect's",
}
OWNERS = {"asyncio", "time", "datetime", "random", "uuid", "os", "secrets"}


def broken(source: str) -> Iterator[str]:
    """The rules this source breaks."""
    tree = ast.parse(source)
    sets = _names_of_sets(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN and _owner(node) in OWNERS:
            yield f"{node.lineno}: {_owner(node)}.{node.attr}: {FORBIDDEN[node.attr]}"
        elif isinstance(node, ast.ImportFrom) and node.module in OWNERS:
            names = [alias.name for alias in node.names if alias.name in FORBIDDEN]
            yield from (f"{node.lineno}: from {node.module} import {name}: {FORBIDDEN[name]}" for name in names)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and _is_set(node.iter, sets):
            yield f"{node.iter.lineno}: iteration over a set: its order differs from run to run"
        elif isinstance(node, ast.Call) and _ordering(node) and node.args and _is_set(node.args[0], sets):
            yield f"{node.lineno}: a set made a sequence: its order differs from run to run"


def _owner(node: ast.Attribute) -> str:
    return node.value.id if isinstance(node.value, ast.Name) else ""


def _ordering(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in {"list", "tuple", "enumerate", "iter"}


def _names_of_sets(tree: ast.AST) -> set[str]:
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    return {
        target.id
        for node in assigned
        if _is_set(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_set(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return isinstance(node, ast.Set | ast.SetComp)


@pytest.mark.parametrize("path", DURABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_durable_code_keeps_the_rules(path: Path) -> None:
    """No way of combining effects that replays differently, no clock and no chance of its own."""
    assert list(broken(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\nasync def f():\n    async with asyncio.TaskGroup() as g: pass",
        "import asyncio\nasync def f(a): return await asyncio.wait_for(a, 1)",
        "import asyncio\nasync def f(a): return await asyncio.wait(a)",
        "import asyncio\ndef f(a): return asyncio.as_completed(a)",
        "import asyncio\nasync def f(a):\n    async with asyncio.timeout(1): await a",
        "from asyncio import TaskGroup",
        "import time\nnow = time.time()",
        "import random\nx = random.random()",
        "for x in {1, 2}: print(x)",
        "legs = set([1])\nfor leg in legs: print(leg)",
        "a = [x for x in frozenset(y)]",
        "tuple({leg for leg in legs})",
    ],
)
def test_the_rules_catch_what_they_are_for(source: str) -> None:
    """Each forbidden form is seen."""
    assert list(broken(source))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.py")), ids=lambda path: path.name)
def test_workflows_import_only_what_is_pure(path: Path) -> None:
    """arbsaga's domain, saga, risk and errors, temporalio, and the standard library."""
    for name in imports(path):
        if name.startswith("arbsaga"):
            assert name.startswith(PURE), f"{path.name} imports {name}"
        assert not name.startswith(("activities", "workers", "pydantic", "aiohttp", "sqlalchemy")), name


@pytest.mark.parametrize("path", sorted((ROOT / "activities").glob("*.py")), ids=lambda path: path.name)
def test_activities_know_neither_workflows_nor_workers(path: Path) -> None:
    """A side effect stands on its own."""
    assert not [name for name in imports(path) if name.startswith(("workflows", "workers"))]


@pytest.mark.parametrize("path", sorted((ROOT / "arbsaga").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_knows_nothing_of_temporal(path: Path) -> None:
    """arbsaga/ can be used without it."""
    names = ("temporalio", "workflows", "activities", "workers")
    assert not [name for name in imports(path) if name.startswith(names)]


@pytest.mark.parametrize("path", sorted((ROOT / "arbsaga" / "risk").glob("*.py")), ids=lambda path: path.name)
def test_risk_is_pure(path: Path) -> None:
    """It runs inside workflows: no I/O, no clock."""
    assert list(broken(path.read_text())) == []
    assert all(name.startswith(PURE) for name in imports(path) if name.startswith("arbsaga"))
