"""`arbsaga pairs` on both simulated exchanges: what is shown, what a person must say, what is refused in one line."""

import io
import json
import sys

import pytest

from arbsaga.config import PairsSection
from arbsaga.pairs.registry import load

RULES = ("--void", "both refund", "--tie", "none")


def answer(run):
    """The JSON object on the last line."""
    assert run.err == ""
    return json.loads(run.out.splitlines()[-1])


@pytest.fixture
def fed(exchanges):
    """What names the identical questions."""
    return ("--a", f"polymarket:{exchanges.fed}", "--b", "kalshi:KXFED-CUT", "--by", "Ada", *RULES)


@pytest.fixture
def approved(said, fed):
    """The identical questions, approved."""
    run = said("pairs", "approve", "fed-cut", *fed, "--relation", "identity", "--cap", "12.5", "--yes", "--json")
    assert run.code == 0, run
    return answer(run)


def typed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def state(said):
    (one,) = answer(said("pairs", "list", "--json"))["pairs"]
    return one


def test_an_approved_pair_is_live(said, exchanges, approved, tmp_path):
    assert approved == {
        "approved": "fed-cut",
        "relation": "identity",
        "cap_usd": "12.5",
        "file": str(tmp_path / "data" / "pairs.toml"),
    }
    assert state(said) == {
        "name": "fed-cut",
        "a": f"polymarket:{exchanges.fed}",
        "b": "kalshi:KXFED-CUT",
        "relation": "identity",
        "state": "live",
        "reason": "",
        "days": "10.1",
        "cap_usd": "12.5",
        "approved_by": "Ada",
        "void_rule": "both refund",
        "tie_rule": "none",
    }
    checked = said("pairs", "check")
    assert (checked.code, checked.out) == (0, "fed-cut: live (void: both refund; tie: none)\n")
    table = said("pairs", "list").out
    assert "fed-cut" in table
    assert "live" in table


def test_both_texts_are_shown_and_the_relation_is_typed(said, fed, monkeypatch, tmp_path):
    typed(monkeypatch, "identity\n")
    run = said("pairs", "approve", "fed-cut", *fed, "--relation", "identity")
    assert run.code == 0, run
    for words in ("YES if so: Will the Fed cut", 'Resolves to "Yes" if this is so', "Type identity to approve"):
        assert words in run.err
    assert f"Approved fed-cut: identity, at most ${PairsSection().cap}" in run.out.replace("\n", " ")
    (pair,) = load(tmp_path / "data" / "pairs.toml").pairs
    assert (pair.void_rule, pair.tie_rule) == ("both refund", "none")
    assert (pair.cap_usd, pair.approved_by) == (PairsSection().cap, "Ada")


@pytest.mark.parametrize(
    ("text", "words"),
    [("yes\n", "not approved: 'yes' is not identity"), ("", "nobody is there to type the relation: give --yes")],
)
def test_any_other_word_approves_nothing(said, fed, monkeypatch, tmp_path, text, words):
    typed(monkeypatch, text)
    run = said("pairs", "approve", "fed-cut", *fed, "--relation", "identity")
    assert run.code == 2
    assert words in run.err.splitlines()[-1]
    assert not (tmp_path / "data" / "pairs.toml").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--relation", "complement"], "inverted: the titles seem to ask for the same thing, not so complement"),
        (["--relation", "overlap"], "'overlap' is not one of 'identity', 'complement', 'subset', 'superset'"),
        (["--relation", "identity", "--b", "kalshi:KXNONE"], "KXNONE"),
        (["--relation", "identity", "--a", "kalshi:KXFED-CUT"], "pairs kalshi:KXFED-CUT with itself"),
        (["--relation", "identity", "--a", "kraken:BTC"], "no venue 'kraken', known are polymarket, kalshi"),
        (["--relation", "identity", "--a", "KXFED"], "'KXFED' names no market: write VENUE:MARKET"),
        (["--relation", "identity", "--by", " "], "give --by NAME"),
        (["--relation", "identity", "--by", "paper"], "'paper' is what approves simulated pairs, and no person"),
        (["--relation", "identity", "--by", " Paper "], "give --by with your name"),
        (["--relation", "identity", "--void", " "], "--void is empty: say how both resolve a cancelled event, or none"),
        (["--relation", "identity", "--tie", ""], "--tie is empty: say how both resolve a draw, or none"),
        (["--relation", "identity", "--cap", "nan"], "--cap 'nan' is not a number of USD"),
        (["--relation", "identity", "--cap", "inf"], "--cap 'inf' is not a number of USD"),
        (["--relation", "identity", "--cap", "much"], "--cap 'much' is not a number of USD"),
        (["--relation", "identity", "--cap", "-1"], "--cap -1 is not between 0 and 1000000 USD"),
    ],
)
def test_a_mistake_is_one_line_and_approves_nothing(said, fed, tmp_path, args, words):
    run = said("pairs", "approve", "fed-cut", *fed, *args, "--yes", "--json")
    run.is_one_clear_line(words)
    assert not (tmp_path / "data" / "pairs.toml").exists()


def test_a_name_or_markets_that_are_taken_are_refused(said, exchanges, approved, fed):
    other = ("--a", f"polymarket:{exchanges.bitcoin}", "--b", "kalshi:KXBTC-T100", "--by", "Ada", *RULES)
    run = said("pairs", "approve", "fed-cut", *other, "--relation", "superset", "--yes", "--json")
    run.is_one_clear_line("the name fed-cut is taken")
    run = said("pairs", "approve", "again", *fed, "--relation", "identity", "--yes", "--json")
    run.is_one_clear_line("pairs fed-cut and again are over the same two markets")


def test_nested_questions_are_tested_for_their_direction(said, exchanges):
    nested = (
        "--a",
        f"polymarket:{exchanges.bitcoin}",
        "--b",
        "kalshi:KXBTC-T100",
        "--by",
        "Ada",
        *RULES,
        "--yes",
        "--json",
    )
    said("pairs", "approve", "btc", *nested, "--relation", "subset").is_one_clear_line(
        "the first title seems the wider"
    )
    assert said("pairs", "approve", "btc", *nested, "--relation", "superset").code == 0


def _change_text(exchanges):
    exchanges.polymarket.markets[exchanges.fed].question += "?"


def _change_close(exchanges):
    exchanges.kalshi.markets["KXFED-CUT"].close_ms += 60_000


def _resolve(exchanges):
    exchanges.polymarket.resolve(exchanges.fed, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_change_text, "has changed since it was approved"),
        (_change_close, "kalshi:KXFED-CUT now closes"),
        (_resolve, "is resolved, it was active when approved"),
    ],
)
def test_a_pair_disables_itself_and_the_check_fails(said, exchanges, approved, change, words):
    exchanges.do(lambda: change(exchanges))
    found = state(said)
    assert found["state"] == "disabled"
    assert words in found["reason"]
    run = said("pairs", "check")
    assert run.code == 1
    assert words in run.out.replace("\n", " ")


def test_approving_anew_makes_a_changed_pair_live_again(said, exchanges, approved, fed, tmp_path):
    file = tmp_path / "data" / "pairs.toml"
    file.write_text("# mine\n" + file.read_text())
    exchanges.do(lambda: _change_text(exchanges))
    assert said("pairs", "check", "--json").code == 1
    assert said("pairs", "approve", "fed-cut", *fed, "--relation", "identity", "--yes", "--json").code == 0
    assert said("pairs", "check", "--json").code == 0
    assert file.read_text().startswith("# mine\n")


def test_a_dead_venue_disables_and_is_no_traceback(said, exchanges, approved):
    exchanges.stop_kalshi()
    run = said("pairs", "check")
    assert run.code == 1
    assert "Traceback" not in run.out + run.err
    assert run.out.startswith("fed-cut: ")


def test_a_venue_that_cannot_be_asked_is_one_line(said, exchanges, fed):
    exchanges.stop_kalshi()
    for args in (["approve", "fed-cut", *fed, "--relation", "identity", "--yes"], ["suggest"]):
        said("pairs", *args, "--json").is_one_clear_line("a venue gave no usable answer")


def test_without_the_other_venue_a_pair_is_disabled(said, approved):
    run = said("pairs", "check", env={"ARBSAGA_VENUES": "polymarket"})
    assert run.code == 1
    assert "kalshi is not among the venues" in run.out


def test_words_in_brackets_are_shown_as_they_are(said, fed, monkeypatch):
    """The terminal library would take them for a style."""
    typed(monkeypatch, "identity\n")
    env = {"ARBSAGA_PAIRS__FILE": "my[x].toml"}
    run = said("pairs", "approve", "fed-cut", *fed, "--relation", "identity", env=env)
    assert "my[x].toml" in run.out.replace("\n", "")
    without = env | {"ARBSAGA_VENUES": "polymarket"}
    assert said("pairs", "check", env=without).code == 1


def test_no_pairs_are_no_failure(said):
    assert said("pairs", "check").out == "There are no pairs.\n"
    assert "arbsaga pairs suggest" in said("pairs", "list").out


def test_suggestions_show_both_texts_and_leave_known_pairs_out(said, exchanges, approved, tmp_path):
    (found,) = answer(said("pairs", "suggest", "--json"))["suggestions"]
    assert (found["a"]["market"], found["b"]["market"]) == (exchanges.bitcoin, "KXBTC-T100")
    assert found["relation"] == "superset"
    shown = said("pairs", "suggest").out
    for words in ("looks like superset", "YES if so: Bitcoin above", "arbsaga pairs approve NAME"):
        assert words in shown
    (tmp_path / "data" / "pairs.toml").unlink()
    assert len(answer(said("pairs", "suggest", "--json"))["suggestions"]) == 2
    assert len(answer(said("pairs", "suggest", "--json", "--limit", "1"))["suggestions"]) == 1


def test_suggestions_need_two_venues(said):
    said("pairs", "suggest", env={"ARBSAGA_VENUES": "polymarket"}).is_one_clear_line("suggestions need two venues")


@pytest.mark.parametrize("missing", ["--void", "--tie"])
def test_how_both_resolve_a_void_and_a_draw_must_be_said(said, fed, missing):
    at = fed.index(missing)
    run = said("pairs", "approve", "fed-cut", *fed[:at], *fed[at + 2 :], "--relation", "identity", "--yes")
    assert run.code == 2
    assert f"Missing option '{missing}'" in run.err


def test_a_mistake_in_the_file_is_one_line(said, tmp_path):
    (tmp_path / "data" / "pairs.toml").write_text("[[pair]]\n")
    run = said("pairs", "list")
    assert run.code == 2
    assert "pair number 1: name is missing" in run.err
