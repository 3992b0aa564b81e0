"""Writes `pairs.toml`: what has changed is changed, a person's comments and order stay. Whole or not at all."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from arbsaga.errors import ConfigError, Unavailable
from arbsaga.pairs.pair import Pair
from arbsaga.pairs.registry import Registry, load

_HEAD = ("Pairs of markets, each compared and approved by a person. What the keys mean: docs/pairs.md.",)


def change(path: Path, to: Callable[[Registry], Registry]) -> None:
    """Make the file hold what `to` makes of the registry that is in it now. Writers take turns, also other processes.

    One that had read the file before it asked the venues once wrote over what another had approved meanwhile.
    Raises as `save` does, and what `to` raises.
    """
    with _turn(path):
        before = load(path)
        after = to(before)
        if after != before:
            save(after, path)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    try:
        file = path.with_name(f".{path.name}.lock").open("a", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def save(registry: Registry, path: Path) -> None:
    """Make the file hold this registry. Raises ConfigError for a file with mistakes in it, Unavailable for the disk."""
    load(path)
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else _new()
        tables = document.setdefault("pair", tomlkit.aot())
        if not isinstance(tables, AoT):
            raise ConfigError(f"{path}: write pairs as [[pair]] tables, not in one line")
        _put(registry.pairs, tables)
        _replace(path, tomlkit.dumps(document))
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from None


def _new() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    for line in _HEAD:
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    return document


def _put(pairs: Iterable[Pair], tables: AoT) -> None:
    wanted = {pair.name: _values(pair) for pair in pairs}
    for index in reversed(range(len(tables))):
        if tables[index]["name"] not in wanted:
            del tables[index]
    written = {str(table["name"]): table for table in tables}
    for name, values in wanted.items():
        if name not in written:
            tables.append(tomlkit.table())
        table = written.get(name) or tables[-1]
        for key in ("approved_by", "approved_at"):
            if key not in values:
                table.pop(key, None)
        _update(table, values)


def _update(table: Table, values: Mapping[str, Any]) -> None:
    """Set only what differs: setting a key loses the comment beside it."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            if key not in table:
                table.add(key, tomlkit.table())
            _update(table[key], value)
        elif key not in table or table[key].unwrap() != value:
            table[key] = tomlkit.float_(f"{value:f}") if isinstance(value, Decimal) else value


def _values(pair: Pair) -> dict[str, Any]:
    sides = [
        {
            "venue": ref.venue,
            "market": ref.market,
            "closes": _time(pair.cutoffs[index]),
            "status": pair.statuses[index],
            "text_sha256": pair.hashes[index],
        }
        for index, ref in enumerate((pair.a, pair.b))
    ]
    cap = int(pair.cap_usd) if pair.cap_usd == int(pair.cap_usd) else Decimal(pair.cap_usd)
    words = {key: getattr(pair, key) for key in ("void_rule", "tie_rule", "notes")}
    approval = {"approved_by": pair.approved_by, "approved_at": _time(pair.approved_ms)} if pair.approved_by else {}
    head = {"name": pair.name, "relation": str(pair.relation), "orientation": str(pair.orientation), "cap_usd": cap}
    return {**head, **words, **approval, "a": sides[0], "b": sides[1]}


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _replace(path: Path, text: str) -> None:
    """The new text under the old name at once: a reader sees the one or the other, also after a power failure."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".pairs-", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(path.stat().st_mode if path.exists() else 0o644)
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
