"""The doctor's look at Kalshi on a running exchange: each thing that is wrong is one line that says how to mend it."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.domain.money import Usd
from arbsaga.errors import SecretError
from arbsaga.exchange.kalshi.model import Event, Market
from arbsaga.pairs import Relation
from arbsaga.pairs.approving import Approval, approve
from arbsaga.pairs.registry import Registry
from arbsaga.pairs.writing import save
from arbsaga.venues.kalshi.rest import Rest
from workers.doctor import Check, Status
from workers.doctor_kalshi import KalshiSubject, examine_kalshi

from .rig import key, pem

NAMES = ["key", "attestation", "clock", "exchange", "limits", "collateral"]


async def asked(rig, settings):
    """The question of a market of shard 2 that has rules and an end."""
    now = rig.clock()
    texts = {"rules_primary": "If the coin is above $1 then Yes."}
    market = Market("BIT-1", "BIT", open_ms=now, close_ms=now + 86_400_000, texts=texts)
    rig.engine.open_event(Event("BIT", "COINS", exchange_index=2), [market])
    return await rig.venue(settings).question("BIT-1")


def subject_of(given, tmp_path, **changes):
    made = KalshiSubject(lambda: given, dict, tmp_path / "pairs.toml", Usd(Decimal(15)))
    return replace(made, **changes)


async def examined(subject):
    """The checks by name."""
    checks = await examine_kalshi(subject)
    assert all(isinstance(check, Check) and "\n" not in check.line for check in checks)
    return {check.name.removeprefix("kalshi "): check for check in checks}


async def test_what_is_well_is_ok(rig, tmp_path):
    checks = await examined(subject_of(await rig.member(), tmp_path))
    assert [check.status for check in checks.values()] == [Status.OK] * 6 + [Status.WARN], checks
    assert list(checks) == [*NAMES, "pairs"]
    assert "1000.00 USD on shard 0" in checks["collateral"].line
    assert checks["limits"].line == "basic: 10 orders and 20 reads a second"
    assert "none is approved" in checks["pairs"].line


async def test_a_key_that_is_none_is_told_without_it(tmp_path):
    def none():
        raise SecretError("kalshi.private_key is missing: set ARBSAGA_KALSHI__PRIVATE_KEY")

    checks = await examined(subject_of(None, tmp_path, settings=none))
    assert list(checks) == ["key"]
    assert checks["key"].status is Status.FAIL


async def test_a_key_without_write_scope_fails(rig, tmp_path):
    checks = await examined(subject_of(await rig.member(scopes=["read"]), tmp_path))
    assert checks["key"].status is Status.FAIL
    assert "make one with write" in checks["key"].line


async def test_a_key_that_the_venue_does_not_know_fails(rig, tmp_path):
    settings = replace(await rig.member(), key_id="11111111-2222-4333-8444-555555555555")
    checks = await examined(subject_of(settings, tmp_path))
    assert "does not know it" in checks["key"].line
    assert pem(key()).splitlines()[1] not in str(checks)


@pytest.mark.parametrize(
    ("days", "status", "words"),
    [(-1, Status.WARN, "lapsed on"), (2, Status.WARN, "lapses on"), (60, Status.OK, "good until")],
)
async def test_the_end_of_the_attestation_is_told_in_time(rig, tmp_path, days, status, words):
    settings = await rig.member(region_expires=int(time.time() + days * 86_400))
    found = (await examined(subject_of(settings, tmp_path)))["attestation"]
    assert found.status is status
    assert words in found.line
    assert (status is Status.OK) or "attest your location anew" in found.line


async def test_an_exchange_that_is_paused_is_told(rig, tmp_path):
    settings = await rig.member()
    await rig.admin("POST", "halt", {"trading": True})
    found = (await examined(subject_of(settings, tmp_path)))["exchange"]
    assert found.status is Status.WARN
    assert "no order is sent until it goes on" in found.line


async def test_an_account_without_cash_fails(rig, tmp_path):
    await rig.admin("POST", "deposit", {"address": "poor", "amount": "1"})
    settings = await rig.member("broke", usd=None)
    found = (await examined(subject_of(settings, tmp_path)))["collateral"]
    assert found.status is Status.FAIL
    assert "deposit some" in found.line


async def test_no_amount_of_undocumented_unit_is_read(rig, tmp_path, monkeypatch):
    """`balance_breakdown` may be in cents: 1000.00 USD would be told as 100000.00, and 10 as enough."""
    original = Rest.get

    async def in_cents(self, path, params=None):
        answer = dict(await original(self, path, params))
        for one in answer.get("balance_breakdown", ()):
            one["balance"] = int(Decimal(one["balance"]) * 100)
        return answer

    monkeypatch.setattr(Rest, "get", in_cents)
    found = (await examined(subject_of(await rig.member(), tmp_path)))["collateral"]
    assert (found.status, found.line.split(",")[0]) == (Status.OK, "1000.00 USD on shard 0")


class Elsewhere:
    """The other venue, as far as pairs ask it."""

    def __init__(self, question):
        self._question = replace(question, venue="polymarket", market="0xc")

    async def question(self, market):
        return self._question

    async def close(self):
        """Nothing was opened."""


@pytest.mark.parametrize(
    ("deposit", "status", "words"),
    [
        ("0", Status.FAIL, "0.00 USD on shard 2, where coin trades"),
        ("5", Status.WARN, "5.00 USD"),
        ("50", Status.OK, ""),
    ],
)
async def test_collateral_on_the_wrong_shard_of_an_approved_pair_is_told(rig, tmp_path, deposit, status, words):
    settings = await rig.member(shard=0)
    if deposit != "0":
        await rig.admin("POST", "deposit", {"address": "m", "amount": deposit, "exchange_index": 2})
    there = await asked(rig, settings)
    other = Elsewhere(there)
    approval = Approval("coin", Relation.IDENTITY, "ann", Usd(Decimal(20)))
    pair = approve(approval, await other.question("0xc"), there, int(time.time() * 1000))
    subject = subject_of(settings, tmp_path, others=lambda: {"polymarket": other})
    save(Registry((pair,)), subject.pairs)
    checks = await examined(subject)
    assert checks["pairs"].line == "1 approved, all as they were"
    assert checks["collateral"].status is status, checks
    assert words in checks["collateral"].line
    if status is not Status.OK:
        assert "intra_exchange_instance_transfer" in checks["collateral"].line


async def test_a_pair_that_is_not_traded_is_told_with_its_reason(rig, tmp_path):
    settings = await rig.member()
    there = await asked(rig, settings)
    approval = Approval("coin", Relation.IDENTITY, "ann", Usd(Decimal(20)))
    pair = approve(approval, await Elsewhere(there).question("0xc"), there, int(time.time() * 1000))
    changed = Elsewhere(replace(there, rules="other rules"))
    subject = subject_of(settings, tmp_path, others=lambda: {"polymarket": changed})
    save(Registry((pair,)), subject.pairs)
    found = (await examined(subject))["pairs"]
    assert found.status is Status.WARN
    assert "1 of 1 are not traded, as coin" in found.line
    subject.pairs.write_text("[[pair]]\nname = 1\n")
    assert (await examined(subject))["pairs"].status is Status.FAIL


async def test_a_venue_that_is_gone_fails(rig, tmp_path):
    settings = await rig.member()
    gone = replace(settings, rest_url="http://127.0.0.1:9/trade-api/v2")
    found = await examined(subject_of(gone, tmp_path))
    assert found["key"].status is Status.FAIL
    assert "does not answer" in found["key"].line
