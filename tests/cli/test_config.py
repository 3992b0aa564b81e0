"""The configuration: what it reads from where, and that each mistake is one line that says how to mend it."""

import dataclasses
import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from arbsaga_command import Arbsaga

from arbsaga.config import Config, PatienceSection, load, template
from arbsaga.detect.settings import ScanSettings
from arbsaga.domain.pricing import Gates
from arbsaga.errors import ConfigError, SecretError, UnknownThing
from arbsaga.saga.messages import Patience, UndoLimits

KEY = "0x" + "ab" * 32


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but the test's own."""
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "arbsaga.toml"
    file.write_text(text)
    return file


def test_defaults_are_those_of_the_trading_library() -> None:
    config = load()
    assert config.trade_patience() == Patience()
    assert config.undo_limits() == UndoLimits()
    assert dataclasses.replace(config.trading_gates(), budget=Gates().budget) == Gates()
    assert config.scan_settings() == ScanSettings(gates=config.trading_gates(), max_age_ms_by_venue=config.book_ages())
    assert (config.mode, config.total) == ("paper", Decimal(100))


def test_nothing_is_concluded_before_the_latest_post_that_was_ever_seen() -> None:
    """Venues have delivered a post 20 s after it was sent: at 18 s it was "never sent", and then it filled."""
    patience = load().trade_patience()
    latest_sent, delivered_after = patience.send_by, 20_000
    assert patience.send_by + patience.http + patience.prove > latest_sent + delivered_after


def test_every_waiting_time_of_a_trade_can_be_set() -> None:
    """But for the pause between a worker's beats, which follows from how many trades are open."""
    fields = {field.name for field in dataclasses.fields(Patience)} - {"beat"}
    assert fields == {name.removesuffix("_ms") for name in PatienceSection.model_fields}


def test_the_environment_overrides_the_file_and_the_call_overrides_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 'account = "file"\n[gates]\nmin_edge = 0.01\nmin_depth = 12\n')
    monkeypatch.setenv("ARBSAGA_GATES__MIN_EDGE", "0.02")
    config = load(data_dir=tmp_path / "given")
    assert config.gates.min_edge == Decimal("0.02")
    assert config.gates.min_depth == 12
    assert (config.account, config.data_dir) == ("file", tmp_path / "given")


def test_the_written_template_is_valid_and_says_the_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, template())).model_dump() == Config().model_dump()
    uncommented = "\n".join(
        line.removeprefix("# ") if re.match(r"# \w+ = (?!\"\")", line) else line for line in template().splitlines()
    )
    tomllib.loads(uncommented)
    for variable in ("ARBSAGA_VENUE__PRIVATE_KEY", "ARBSAGA_KALSHI__PRIVATE_KEY"):
        assert variable in template()
    assert load(written(tmp_path, uncommented)).model_dump() == Config().model_dump()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[gates]\nmin_egde = 1", ["arbsaga.toml: gates.min_egde", "no such key", "did you mean min_edge?"]),
        ("tyop = 1", ["arbsaga.toml: tyop", "no such key", "known are"]),
        ("[gates]\nmin_edge = 'much'", ["arbsaga.toml: gates.min_edge", "valid decimal"]),
        ("[desk]\ntotal = -1", ["arbsaga.toml: desk.total", "greater than or equal to 0"]),
        ("mode = 'real'", ["arbsaga.toml: mode", "'paper' or 'live'"]),
        ("mode = \n", ["arbsaga.toml is not valid TOML", "line 1"]),
        (f"[venue]\nprivate_key = '{KEY}'", ["venue.private_key is a secret", "ARBSAGA_VENUE__PRIVATE_KEY"]),
        ("[temporal]\napi_key = 'x'", ["temporal.api_key is a secret", "api_key_file"]),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_the_key(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message
    assert KEY not in message


def test_several_mistakes_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, "[gates]\nmin_egde = 1\n[desk]\ntotal = -1"))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ARBSAGA_GATEZ__MIN_EDGE", "1", ["ARBSAGA_GATEZ__MIN_EDGE", "did you mean gates?"]),
        ("ARBSAGA_GATES__MIN_EGDE", "1", ["ARBSAGA_GATES__MIN_EGDE", "did you mean min_edge?"]),
        ("ARBSAGA_GATES__MIN_EDGE", "x", ["environment variable ARBSAGA_GATES__MIN_EDGE", "valid decimal"]),
        ("ARBSAGA_GATES", "{", ["environment", "ARBSAGA_SECTION__KEY"]),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: list[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnknownThing, match=r"no configuration file .*config init"):
        load(tmp_path / "none.toml")
    monkeypatch.setenv("ARBSAGA_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(UnknownThing, match=r"nowhere\.toml"):
        load()


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "bytes.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(file)


def test_the_key_comes_from_its_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    monkeypatch.setenv("ARBSAGA_VENUE__PRIVATE_KEY_FILE", str(file))
    assert load().private_key() == KEY
    monkeypatch.setenv("ARBSAGA_VENUE__PRIVATE_KEY", "0xother")
    assert load().private_key() == "0xother"


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [(KEY, 0o644, "chmod 600"), ("", 0o600, "is empty"), (None, 0o600, "cannot be read")],
)
def test_a_key_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, mode: int, words: str
) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    monkeypatch.setenv("ARBSAGA_VENUE__PRIVATE_KEY_FILE", str(file))
    with pytest.raises(SecretError, match=words):
        load().private_key()


def test_a_missing_key_says_where_to_put_it() -> None:
    with pytest.raises(SecretError, match=r"venue\.private_key is missing: set ARBSAGA_VENUE__PRIVATE_KEY"):
        load().private_key()


def test_secrets_are_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARBSAGA_VENUE__PRIVATE_KEY", KEY)
    monkeypatch.setenv("ARBSAGA_TEMPORAL__API_KEY", "cloud-key")
    monkeypatch.setenv("ARBSAGA_NOTIFY__URLS", '["tgram://bottoken/chat"]')
    config = load()
    shown = repr(config) + str(config.model_dump())
    assert not any(secret in shown for secret in (KEY, KEY[2:], "cloud-key", "bottoken"))
    assert config.temporal_api_key() == "cloud-key"


def test_live_trading_is_capped_until_the_cap_is_raised(tmp_path: Path) -> None:
    capped = load(written(tmp_path, 'mode = "live"'))
    assert (capped.total, capped.per_trade, capped.trading_gates().budget) == (10, 10, 10)
    lifted = load(written(tmp_path, 'mode = "live"\n[live]\ncap = 1000'))
    assert (lifted.total, lifted.per_trade) == (100, 15)


def test_the_command_checks_and_writes_the_configuration(arbsaga: Arbsaga, tmp_path: Path) -> None:
    assert arbsaga("config", "init").code == 0
    assert json.loads(arbsaga("config", "check", "--json").out)["total_usd"] == "100"
    arbsaga("config", "init").is_one_clear_line("arbsaga.toml exists already")


def test_a_wrong_configuration_stops_every_command(said: Arbsaga, tmp_path: Path) -> None:
    written(tmp_path, "[gates]\nmin_egde = 1")
    said("config", "check").is_one_clear_line("gates.min_egde", "did you mean min_edge?")


def test_an_unknown_command_or_option_is_one_line(said: Arbsaga) -> None:
    said("bogus").is_one_clear_line("No such command 'bogus'")
    said("config", "check", "--bogus").is_one_clear_line("No such option: --bogus")


def test_without_arguments_the_help_is_shown(said: Arbsaga) -> None:
    done = said()
    assert "Usage" in done.out
    assert done.err == ""
