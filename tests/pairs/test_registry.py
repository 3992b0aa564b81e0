"""`pairs.toml` is read whole or refused with one line for each mistake, and written without losing a word of it."""

import threading
from decimal import Decimal

import pytest
from pairs_make import PAIR, other, pair

from arbsaga.errors import ConfigError, Unavailable, UnknownThing, UserError
from arbsaga.pairs.pair import MarketRef, Orientation, Relation
from arbsaga.pairs.registry import Registry, load
from arbsaga.pairs.writing import change, save

HASH = "0" * 64


def entry(**changes):
    """A pair as a person would see it in the file; a value of None leaves its line out."""
    keys = {
        "name": '"fed-cut"',
        "relation": '"identity"',
        "orientation": '"same"',
        "cap_usd": "40",
        "approved_by": '"Ada"',
        "approved_at": "2026-11-20T10:00:00Z",
    }
    side = {
        "venue": '"polymarket"',
        "market": '"0xab"',
        "closes": "2026-12-10T19:00:00Z",
        "status": '"active"',
        "text_sha256": f'"{HASH}"',
    }
    sides = {"a": side, "b": side | {"venue": '"kalshi"', "market": '"KXFED"'}}
    for key, value in changes.items():
        table, _, inner = key.partition("__")
        if inner:
            sides[table] = sides[table] | {inner: value}
        else:
            keys[key] = value
    lines = ["[[pair]]", *_lines(keys), "[pair.a]", *_lines(sides["a"]), "[pair.b]", *_lines(sides["b"])]
    return "\n".join(lines) + "\n"


def _lines(keys):
    return [f"{key} = {value}" for key, value in keys.items() if value is not None]


def loaded(folder, *texts):
    file = folder / "pairs.toml"
    file.write_text("\n".join(texts))
    return load(file)


def test_a_file_is_read_with_its_money_and_times_exact(tmp_path):
    (read,) = loaded(tmp_path, entry(cap_usd="0.1", notes='"seen"')).pairs
    assert (read.name, read.relation, read.orientation) == ("fed-cut", Relation.IDENTITY, Orientation.SAME)
    assert (read.a, read.b) == (MarketRef("polymarket", "0xab"), MarketRef("kalshi", "KXFED"))
    assert (read.cap_usd, read.cutoffs, read.hashes) == (Decimal("0.1"), (1_796_929_200_000,) * 2, (HASH, HASH))
    assert (read.approved_by, read.approved_ms, read.notes) == ("Ada", 1_795_168_800_000, "seen")


def test_no_file_is_no_pair(tmp_path):
    assert load(tmp_path / "pairs.toml") == Registry()
    assert loaded(tmp_path, "# nothing yet") == Registry()


def test_without_an_approver_a_pair_is_read_as_unapproved(tmp_path):
    """Emptying `approved_by` is how a person takes an approval back."""
    (read,) = loaded(tmp_path, entry(approved_by='""')).pairs
    assert (read.approved_by, read.approved_ms) == ("", 0)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([entry(relation='"overlap"')], "pair fed-cut: unknown relation 'overlap', choose one of identity, complement"),
        ([entry(orientation='"up"')], "pair fed-cut: unknown orientation 'up', choose one of same, opposite"),
        ([entry(a__text_sha256='"abc"')], "pair fed-cut: a.text_sha256 is no SHA-256 of 64 hex digits"),
        ([entry(a__text_sha256=f'"{HASH.replace("0", "G")}"')], "a.text_sha256 is no SHA-256"),
        ([entry(b__closes=None)], "pair fed-cut: b.closes is missing"),
        ([entry(relation=None)], "pair fed-cut: relation is missing"),
        ([entry(name=None)], "pair number 1: name is missing"),
        ([entry(name='"Fed Cut"')], "pair Fed Cut: a name is 1 to 60 small letters, digits and hyphens"),
        ([entry(approved_at=None)], "pair fed-cut: approved_at is missing beside approved_by"),
        ([entry(a__closes="2026-12-10T19:00:00")], "pair fed-cut: a.closes: input should have timezone info"),
        ([entry(cap_usd="-1")], "pair fed-cut: cap_usd: input should be greater than or equal to 0"),
        ([entry(capp="1")], "pair fed-cut: no such key capp"),
        ([entry(a__side='"YES"')], "pair fed-cut: no such key a.side"),
        ([entry(b__venue='"kalshy"')], "pair fed-cut: no venue 'kalshy', known are polymarket, kalshi"),
        ([entry(b__market='"0xAB"')], "pair fed-cut pairs polymarket:0xab with itself"),
        ([entry(relation='"complement"')], "pair fed-cut is inverted: relation complement needs orientation opposite"),
        ([entry(orientation='"opposite"')], "pair fed-cut is inverted: relation identity needs orientation same"),
        ([entry(), entry(a__market='"0xcd"')], "2 pairs are named fed-cut"),
        ([entry(), entry(name='"again"')], "pairs fed-cut and again are over the same two markets"),
        (["pairs = 1"], "unknown key pairs: pairs are written as [[pair]] tables"),
        (["pair = 1"], "wrong value of pair: pairs are written as [[pair]] tables"),
        (["[[pair]]\nname = "], "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path, texts, words):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, *texts)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(str(tmp_path / "pairs.toml"))


def test_the_same_markets_the_other_way_round_are_the_same_pair(tmp_path):
    turned = entry(
        name='"turned"', a__venue='"kalshi"', a__market='"KXFED"', b__venue='"polymarket"', b__market='"0xAB"'
    )
    with pytest.raises(ConfigError, match="fed-cut and turned are over the same two markets"):
        loaded(tmp_path, entry(), turned)


def test_every_mistake_is_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, entry(relation='"x"', a__status=None), entry(name='"two"', cap_usd=None))
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "pairs.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load(tmp_path / "pairs.toml")


def test_an_unknown_name_is_told_with_the_nearest():
    registry = Registry((PAIR,))
    assert registry.get("fed-cut") is PAIR
    with pytest.raises(UnknownThing, match="no pair 'fed-cat': did you mean fed-cut"):
        registry.get("fed-cat")
    with pytest.raises(UnknownThing, match="pairs list"):
        Registry().get("fed-cut")


def test_a_name_stays_with_its_markets():
    """Trades remember a pair by name: another question under it would inherit their exposure."""
    registry = Registry((PAIR, other(1)))
    again = pair(cap_usd=Decimal(7))
    assert registry.with_pair(again).pairs == (again, other(1))
    with pytest.raises(UserError, match=r"the name fed-cut is taken by polymarket:0x.* and kalshi:KXFED-26DEC-CUT"):
        registry.with_pair(pair(a=MarketRef("polymarket", "0x9")))
    with pytest.raises(UserError, match="over the same two markets"):
        registry.with_pair(pair(name="other"))


@pytest.mark.parametrize("text", ["kalshi", "kalshi:", ":X", "KXFED"])
def test_a_market_is_named_with_its_venue(text):
    with pytest.raises(UserError):
        MarketRef.parse(text)


def test_a_market_reference_is_read_as_it_is_written():
    ref = MarketRef.parse("kalshi:KX:1")
    assert (ref, str(ref)) == (MarketRef("kalshi", "KX:1"), "kalshi:KX:1")
    with pytest.raises(UserError, match="no venue 'kraken', known are polymarket, kalshi"):
        MarketRef.parse("kraken:BTC")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cap_usd": Decimal("0.10")},
        {"approved_by": "", "approved_ms": 0},
        {"relation": Relation.COMPLEMENT, "notes": 'a "quoted"\nnote', "cutoffs": (1_790_000_000_123, 5)},
    ],
)
def test_what_is_saved_is_what_is_loaded(tmp_path, changes):
    file = tmp_path / "pairs.toml"
    registry = Registry((pair(**changes), other(1)))
    save(registry, file)
    assert load(file) == registry
    save(Registry((other(1),)), file)
    assert load(file) == Registry((other(1),))


def test_saving_keeps_a_persons_comments_and_order(tmp_path):
    file = tmp_path / "pairs.toml"
    text = "# mine\n\n" + entry(cap_usd="40 # not more").replace("[pair.b]", "# the other\n[pair.b]") + "# the end\n"
    (read,) = loaded(tmp_path, text).pairs
    save(Registry((read,)), file)
    assert [line for line in text.splitlines() if line not in file.read_text()] == []
    save(Registry((read, other(1))).with_pair(pair(name="fed-cut", a=read.a, b=read.b, approved_by="Bob")), file)
    written = file.read_text()
    for comment in ("# mine", "# not more", "# the other", "# the end"):
        assert comment in written
    assert [found.name for found in load(file).pairs] == ["fed-cut", "pair-1"]
    assert load(file).get("fed-cut").approved_by == "Bob"


def test_taking_an_approval_back_removes_it_from_the_file(tmp_path):
    file = tmp_path / "pairs.toml"
    save(Registry((PAIR,)), file)
    save(Registry((pair(approved_by="", approved_ms=0),)), file)
    assert "approved_" not in file.read_text()


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "pairs.toml"
    save(Registry((PAIR,)), file)
    before = file.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("arbsaga.pairs.writing.os.fsync", full)
    with pytest.raises(Unavailable, match="cannot be written: No space left on device"):
        save(Registry((other(1),)), file)
    assert file.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["pairs.toml"]
    with pytest.raises(Unavailable, match="cannot be written: No such file"):
        save(Registry((PAIR,)), tmp_path / "nowhere" / "pairs.toml")


def test_a_file_with_mistakes_is_not_written_over(tmp_path):
    file = tmp_path / "pairs.toml"
    file.write_text(entry(relation='"x"'))
    with pytest.raises(ConfigError, match="unknown relation"):
        save(Registry((PAIR,)), file)
    file.write_text("pair = []")
    with pytest.raises(ConfigError, match="write pairs as"):
        save(Registry((PAIR,)), file)


def test_writers_take_turns(tmp_path):
    """Whoever had read the file first wrote over what another had approved meanwhile."""
    file, reached = tmp_path / "pairs.toml", threading.Event()

    def second():
        reached.set()
        change(file, lambda now: now.with_pair(other(2)))

    late = threading.Thread(target=second)

    def first(now):
        late.start()
        assert reached.wait(10)
        late.join(0.2)  # it would have written by now
        assert late.is_alive()
        return now.with_pair(other(1))

    change(file, first)
    late.join(10)
    assert {one.name for one in load(file).pairs} == {"pair-1", "pair-2"}


def test_a_change_that_changes_nothing_leaves_the_file_alone(tmp_path):
    file = tmp_path / "pairs.toml"
    change(file, lambda now: now)
    assert not file.exists()
    with pytest.raises(Unavailable, match="cannot be written"):
        change(tmp_path / "no" / "pairs.toml", lambda now: now.with_pair(PAIR))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pair = [1, 2]", "pair number 1 is 1: pairs are written as [[pair]] tables"),
        ('pair = "x"', "wrong value of pair: pairs are written as [[pair]] tables"),
        ("[pair]", "wrong value of pair: pairs are written as [[pair]] tables"),
        (entry().replace("[pair.a]", "[pair.c]") + "\n", "pair fed-cut: no such key c"),
        (entry().split("[pair.a]")[0] + "a = 1\nb = 2\n", "pair fed-cut: a is 1: it is written as a [pair.a] table"),
    ],
)
def test_what_is_no_table_is_said_in_plain_words(tmp_path, text, line):
    """The library that reads it spoke of its models."""
    file = tmp_path / "pairs.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert f"{file}: {line}" in str(caught.value).splitlines()
    assert "_Pair" not in str(caught.value)
    assert "_Market" not in str(caught.value)
