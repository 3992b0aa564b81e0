"""Which venues are traded on, by whose keys, and where they are: configuration, command line, data folder."""

import contextlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
from arbsaga_command import Arbsaga
from cli_make import NOW, RULES, instrument, plan, record
from Crypto.PublicKey import ECC

from arbsaga.config import Config, load
from arbsaga.detect.settings import ScanSettings
from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.errors import ConfigError, SecretError, Unavailable, VenueError
from arbsaga.saga.messages import Phase
from workers import connections, site, trader_process
from workers.folder import DataFolder, Ports
from workers.paper import ensure_key, paired_since, public_key

PEM = str(ECC.generate(curve="Ed25519").export_key(format="PEM"))
BOTH = ("polymarket", "kalshi")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def kalshi_order() -> OrderTerms:
    at = Instrument("kalshi", "KX-1", "kalshi:KX-1:YES", "kalshi:KX-1:NO", Outcome.YES, "Will it?", RULES)
    amount, limit = Size(Decimal(10)), Price(Decimal("0.40"))
    return OrderTerms("T1", 0, 1, Purpose.ENTER, at, Side.BUY, amount, limit, TimeInForce.GTC, NOW, NOW + 1_000)


def both(**given: object) -> Config:
    return load(venues=BOTH, **given)


@pytest.mark.parametrize("text", ["polymarket,kalshi", "polymarket, kalshi", '["polymarket", "kalshi"]'])
def test_venues_are_a_list_however_it_is_written(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert load().venues == ("polymarket",)
    monkeypatch.setenv("ARBSAGA_VENUES", text)
    assert load().venues == BOTH


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("polymarket,kalsi", ["there is no venue 'kalsi'", "did you mean kalshi?"]),
        ("polymarket,ftx", ["there is no venue 'ftx'", "known are polymarket, kalshi"]),
        ("kalshi,polymarket,kalshi", ["kalshi is named twice", "once"]),
        ("", ["name at least one venue of polymarket, kalshi"]),
        (",", ["name at least one venue of polymarket, kalshi"]),
    ],
)
def test_venues_that_are_none_are_one_line_everywhere(
    said: Arbsaga, tmp_path: Path, text: str, words: list[str]
) -> None:
    said("up", "--venues", text).is_one_clear_line("--venues", *words)
    said("config", "check", env={"ARBSAGA_VENUES": text}).is_one_clear_line("ARBSAGA_VENUES", *words)
    names = json.dumps([name for name in text.split(",") if name])
    (tmp_path / "arbsaga.toml").write_text(f"venues = {names}")
    said("config", "check").is_one_clear_line("arbsaga.toml: venues", *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[kalshi]\nprivate_key = 'x'", ["kalshi.private_key is a secret", "ARBSAGA_KALSHI__PRIVATE_KEY"]),
        ("[kalshi]\nprecision = '0.1'", ["kalshi.precision", "'0.01' or '0.0001'"]),
        ("[kalshi]\nrest_url = 'kalshi.com'", ["kalshi.rest_url", "https?"]),
        ("[kalshi]\nkey = 'x'", ["kalshi.key", "no such key", "did you mean key_id?"]),
        ("[entry]\norder = 'random'", ["entry.order", "'parallel' or 'less-certain-first'"]),
        ("[pairs]\ncap = -1", ["pairs.cap", "greater than or equal to 0"]),
        ("[pairs]\ncheck_ms = 10", ["pairs.check_ms", "500"]),
        ("[scan]\nmax_cross_skew_ms = 'long'", ["scan.max_cross_skew_ms", "valid integer"]),
    ],
)
def test_a_mistake_about_venues_is_one_line(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "arbsaga.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load()
    assert len(str(caught.value).splitlines()) == 1
    assert all(word in str(caught.value) for word in words), caught.value


def test_kalshis_key_is_an_id_and_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SecretError, match=r"kalshi\.key_id is missing"):
        load(mode="live").kalshi_key()
    monkeypatch.setenv("ARBSAGA_KALSHI__KEY_ID", "an-id")
    with pytest.raises(SecretError, match=r"kalshi\.private_key is missing: set ARBSAGA_KALSHI__PRIVATE_KEY"):
        load(mode="live").kalshi_key()
    file = tmp_path / "kalshi.pem"
    file.write_text(PEM)
    file.chmod(0o600)
    monkeypatch.setenv("ARBSAGA_KALSHI__PRIVATE_KEY_FILE", str(file))
    assert load(mode="live").kalshi_key() == ("an-id", PEM)
    monkeypatch.setenv("ARBSAGA_KALSHI__PRIVATE_KEY", "another")
    config = load(mode="live")
    assert config.kalshi_key() == ("an-id", "another")
    assert "another" not in repr(config)


def test_books_of_kalshi_have_an_age_of_their_own() -> None:
    """A second `up` without --venues, on a folder that has both, once went by Polymarket's."""
    ages = load().book_ages()
    assert load().scan_settings() == ScanSettings(gates=load().trading_gates(), max_age_ms_by_venue=ages)
    assert load(kalshi={"max_book_age_ms": 4_000}).book_ages() == {"kalshi": 4_000}
    config = both(kalshi={"max_book_age_ms": 4_000}, scan={"max_cross_skew_ms": 900})
    assert config.scan_settings().max_age_ms_by_venue == {"kalshi": 4_000}
    assert config.scan_settings().max_cross_skew_ms == 900


def test_each_exchange_that_is_needed_has_a_port_and_keeps_it(folder: DataFolder) -> None:
    first = folder.choose_ports(["polymarket"])
    assert (first.kalshi, first.of("polymarket")) == (0, first.exchange)
    second = folder.choose_ports(BOTH)
    assert second.kalshi
    assert second.exchange == first.exchange
    assert folder.choose_ports(["polymarket"]) == second


def test_ports_of_an_older_version_are_still_known(folder: DataFolder) -> None:
    (folder.path / "ports.json").write_text('{"temporal": 20001, "ui": 20002, "exchange": 20003}')
    assert folder.ports() == Ports(20001, 20002, 20003)


def test_a_venue_that_the_paper_account_was_at_is_never_left_alone(folder: DataFolder) -> None:
    """A worker without it would hand its orders to the other venue, and nobody would reconcile what is held there."""
    assert site.venues_of(load(), folder) == ("polymarket",)
    folder.choose_ports(BOTH)
    assert site.venues_of(load(), folder) == BOTH
    assert site.venues_of(load(mode="live"), folder) == ("polymarket",)


def test_a_folder_that_was_started_on_kalshi_alone_is_kalshis(
    folder: DataFolder, said: Arbsaga, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every later command once said that the exchange of polymarket was never started there."""
    folder.choose_ports(["kalshi"])
    ensure_key(load(venues=("kalshi",)), folder)
    assert site.venues_of(load(), folder) == ("kalshi",)
    assert site.venues_of(load(venues=("polymarket",)), folder) == BOTH
    monkeypatch.setenv("ARBSAGA_VENUES", "polymarket")
    assert site.venues_of(load(), folder) == BOTH
    done = said("doctor", "--data-dir", str(folder.path))
    assert "kalshi" in done.out
    assert "was never started" not in done.err


def test_a_folder_with_both_venues_needs_no_setting_for_suggestions(folder: DataFolder, said: Arbsaga) -> None:
    folder.choose_ports(BOTH)
    ensure_key(both(), folder)
    done = said("pairs", "suggest", "--data-dir", str(folder.path))
    assert done.code != 0
    assert "need two venues" not in done.err  # only the exchanges are not there


def test_an_exchange_that_was_never_started_is_one_line(folder: DataFolder) -> None:
    folder.choose_ports(["polymarket"])
    with pytest.raises(Unavailable, match=r"kalshi was never started .* --venues"):
        site.exchange_url(load(), folder, "kalshi")
    assert site.exchange_url(both(kalshi={"rest_url": "http://127.0.0.1:9/trade-api/v2"}), folder, "kalshi").endswith(
        ":9"
    )


def test_a_relative_name_of_the_pairs_file_is_in_the_data_folder(folder: DataFolder, tmp_path: Path) -> None:
    assert site.pairs_file(load(), folder) == folder.path / "pairs.toml"
    assert site.pairs_file(load(pairs={"file": str(tmp_path / "mine.toml")}), folder) == tmp_path / "mine.toml"


def test_the_paper_key_of_kalshi_is_made_once_and_only_its_owner_reads_it(folder: DataFolder) -> None:
    ensure_key(load(), folder)
    assert not folder.kalshi_key.exists()
    ensure_key(both(), folder)
    made = folder.kalshi_key.read_text()
    assert folder.kalshi_key.stat().st_mode & 0o777 == 0o600
    ensure_key(both(), folder)
    assert folder.kalshi_key.read_text() == made
    key_id, pem = public_key(both(), folder)
    assert not ECC.import_key(pem).has_private()
    assert site.kalshi_key(both(), folder) == (key_id, made.strip())


def test_live_trading_never_makes_a_key(folder: DataFolder) -> None:
    ensure_key(both(mode="live"), folder)
    assert not folder.kalshi_key.exists()
    with pytest.raises(SecretError, match=r"kalshi\.key_id is missing"):
        connections.open_kalshi(both(mode="live"), folder)


async def test_one_venue_is_behind_the_same_port_as_two(folder: DataFolder) -> None:
    """Alone it told of an order of another venue that there is none such: that proved a live one ABSENT."""
    folder.choose_ports(["polymarket"])
    ensure_key(both(), folder)
    alone = connections.open_venue(load(), folder)
    assert alone.name == "polymarket"
    theirs = OrderView(kalshi_order(), "id", OrderState.UNKNOWN)
    assert await alone.look([theirs]) == (theirs,)
    assert await alone.cancel(theirs) == theirs
    with pytest.raises(VenueError, match="no venue kalshi here"):
        alone.order_id(kalshi_order())
    folder.choose_ports(BOTH)
    several = connections.open_venue(both(), folder)
    assert several.name == "polymarket+kalshi"
    for venue in (alone, several):
        await venue.close()


@pytest.mark.parametrize("where", ["order", "shares"])
async def test_no_process_starts_that_would_leave_a_venue_alone(folder: DataFolder, where: str) -> None:
    """Its open trades would wait for a venue that is never asked."""
    order = kalshi_order()
    with contextlib.closing(site.open_ledger(load(mode="live"), folder)) as ledger:
        trader_process.refuse_unlisted(ledger, "main", ["polymarket"])
        if where == "order":
            ledger.intend([(order, "id")], account="main", workflow_id="w", lease_id="l")
        else:
            made = plan(basket=yes_of_all("race", "Who wins?", [order.instrument, instrument("1")]))
            ledger.record(record(made, Phase.COMMITTED, "20", "20"))
        trader_process.refuse_unlisted(ledger, "main", BOTH)
        trader_process.refuse_unlisted(ledger, "another", ["polymarket"])
    with pytest.raises(ConfigError, match=r"main has (open trades|positions) at kalshi, which is not in `venues`"):
        async with trader_process.connected(load(mode="live"), folder):
            pass


def test_live_addresses_are_the_venues_own_unless_others_are_set(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARBSAGA_KALSHI__PRIVATE_KEY", PEM)
    live = both(mode="live", kalshi={"key_id": "id", "precision": "0.0001"}, patience={"http_ms": 700})
    settings = connections.kalshi_settings(live, folder)
    assert settings.rest_url == "https://external-api.kalshi.com/trade-api/v2"
    assert (str(settings.precision), settings.post_timeout_ms) == ("0.0001", 700)
    demo = both(mode="live", kalshi={"key_id": "id", "ws_url": "wss://demo/ws"})
    assert connections.kalshi_settings(demo, folder).ws_url == "wss://demo/ws"


def test_the_paired_questions_of_a_folder_keep_their_beginning_and_seed(folder: DataFolder) -> None:
    """The two exchanges would otherwise end one question in two ways."""
    first = paired_since(folder, 7)
    assert first[1] == 7
    assert paired_since(folder, 8) == first
    folder.paired.write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        paired_since(folder, 7)


def test_an_exchange_of_no_venue_and_a_recording_for_kalshi_are_one_line(said: Arbsaga, tmp_path: Path) -> None:
    said("exchange", "--venue", "ftx").is_one_clear_line("--venue 'ftx'", "known are polymarket, kalshi")
    recording = tmp_path / "books.parquet"
    recording.write_bytes(b"PAR1")
    said("exchange", "--venue", "kalshi", "--recording", str(recording)).is_one_clear_line("polymarket only")
    said("up", "--venues", "polymarket,kalshi", "--recording", str(recording)).is_one_clear_line("polymarket only")
    for text in ("paper=10", "paper/x=10", "/0=10", "paper/0=much"):
        said("exchange", "--venue", "kalshi", "--deposit", text).is_one_clear_line("MEMBER/SHARD=USD")
