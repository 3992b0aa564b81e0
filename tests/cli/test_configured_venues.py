"""What each command takes from the configuration for the venues that are traded on: keys, and how Kalshi rounds."""

import json
from pathlib import Path

import pytest
from arbsaga_command import Arbsaga
from Crypto.PublicKey import ECC

from arbsaga.exchange.kalshi.server import KalshiSettings
from workers.commands import servers

PEM = str(ECC.generate(curve="Ed25519").export_key(format="PEM"))


def test_live_only_the_keys_of_the_configured_venues_are_needed_and_each_is_checked(said: Arbsaga) -> None:
    """With Kalshi alone the key of polymarket was asked for, and Kalshi's never looked at."""
    live = {"ARBSAGA_MODE": "live", "ARBSAGA_VENUES": "kalshi"}
    said("config", "check", env=live).is_one_clear_line("kalshi.key_id is missing")
    live |= {"ARBSAGA_KALSHI__KEY_ID": "an-id", "ARBSAGA_KALSHI__PRIVATE_KEY": "nonsense"}
    done = said("config", "check", env=live)
    done.is_one_clear_line("key")
    assert "nonsense" not in done.err
    live |= {"ARBSAGA_KALSHI__PRIVATE_KEY": PEM}
    done = said("config", "check", "--json", env=live)
    assert json.loads(done.out)["venues"] == "kalshi", done
    done = said("config", "check", env=live | {"ARBSAGA_VENUES": "polymarket,kalshi"})
    done.is_one_clear_line("venue.private_key is missing", "ARBSAGA_VENUE__PRIVATE_KEY")
    neither = {"ARBSAGA_MODE": "live", "ARBSAGA_VENUES": "polymarket,kalshi"}
    lines = said("config", "check", env=neither).err
    assert "venue.private_key is missing" in lines
    assert "kalshi.key_id is missing" in lines


def test_live_a_missing_key_is_one_line_of_the_doctors_table(said: Arbsaga) -> None:
    """It was the whole answer: nothing was said of the other venue, of Temporal, of the ledger."""
    nowhere = {"ARBSAGA_VENUE__CLOB_URL": "http://127.0.0.1:1", "ARBSAGA_TEMPORAL__ADDRESS": "127.0.0.1:1"}
    done = said("doctor", "--json", env={"ARBSAGA_MODE": "live", "ARBSAGA_VENUES": "polymarket,kalshi", **nowhere})
    checks = {check["name"]: check for check in json.loads(done.out.splitlines()[-1])["checks"]}
    assert done.code == 1
    assert checks["key"]["status"] == checks["kalshi key"]["status"] == "fail"
    assert "venue.private_key is missing" in checks["key"]["line"]
    assert "kalshi.key_id is missing" in checks["kalshi key"]["line"]
    assert {"exchange", "temporal", "ledger", "pages"} <= checks.keys()


@pytest.mark.parametrize(("precision", "units"), [(None, 10_000), ("0.01", 10_000), ("0.0001", 100)])
def test_the_simulated_kalshi_bills_by_the_configured_precision(
    said: Arbsaga, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str | None, units: int
) -> None:
    """Fees were reckoned in $0.0001 and billed in $0.01: every trade paid more than it was priced at."""
    started: list[KalshiSettings] = []

    async def run(settings: KalshiSettings, _: object) -> None:
        started.append(settings)

    monkeypatch.setattr(servers, "run_kalshi", run)
    env = {"ARBSAGA_KALSHI__PRECISION": precision} if precision else {}
    assert said("exchange", "--venue", "kalshi", "--data-dir", str(tmp_path), env=env).code == 0
    assert [settings.engine.precision for settings in started] == [units]
