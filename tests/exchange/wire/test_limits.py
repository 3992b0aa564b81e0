"""The per-signer token buckets: what a request costs, when it is refused, and the headers that tell."""

import pytest

from arbsaga.exchange.polymarket.limits import Limits
from arbsaga.exchange.polymarket.replies import Refusal


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def limits(clock, tier="Standard", mode="enforced"):
    return Limits(tier, mode, clock, lambda: 1_790_000_000)


def test_burst_then_refusal_then_refill(clock):
    """Standard: 60 orders at once, the 61st is refused with Retry-After, 40 per second come back."""
    buckets = limits(clock)
    for left in range(59, -1, -1):
        headers = buckets.take("order", "0xA", 1)
        assert headers["Poly-RateLimit-Remaining"] == str(left)
    with pytest.raises(Refusal) as refused:
        buckets.take("order", "0xA", 1)
    assert (refused.value.status, refused.value.text, refused.value.retry_after) == (429, "Too Many Requests", 1)
    assert refused.value.headers["Poly-RateLimit-Reset"] == "1790000001"
    clock.now += 0.1
    assert buckets.take("order", "0xA", 4)["Poly-RateLimit-Remaining"] == "0"


def test_a_batch_is_paid_whole_or_not_at_all(clock):
    """A batch over the remaining tokens takes none of them."""
    buckets = limits(clock)
    buckets.take("order", "0xA", 50)
    with pytest.raises(Refusal):
        buckets.take("order", "0xA", 15)
    assert buckets.take("order", "0xA", 10)["Poly-RateLimit-Remaining"] == "0"


def test_orders_cancels_and_signers_do_not_share_a_bucket(clock):
    """Each signer has one bucket for orders and one for cancels."""
    buckets = limits(clock)
    buckets.take("order", "0xA", 60)
    assert buckets.take("cancel", "0xA", 1)["Poly-RateLimit-Remaining"] == "119"
    assert buckets.take("order", "0xB", 1)["Poly-RateLimit-Remaining"] == "59"


def test_a_sweep_leaves_a_debt_that_blocks_later_cancels(clock):
    """cancel-all is admitted with one token; what it cancelled is owed (VR-0916 D-21)."""
    buckets = limits(clock)
    buckets.take("cancel", "0xA", 1)
    assert buckets.owe("0xA", 200)["Poly-RateLimit-Remaining"] == "-81"
    with pytest.raises(Refusal) as refused:
        buckets.take("cancel", "0xA", 1)
    assert refused.value.retry_after == 2


def test_the_highest_tiers_carry_no_debt(clock):
    """From Platinum on a sweep empties the bucket and no more."""
    buckets = limits(clock, tier="Platinum")
    assert buckets.owe("0xA", 5000)["Poly-RateLimit-Remaining"] == "0"


def test_warning_mode_tells_and_lets_pass(clock):
    """In warning mode the request that would be refused passes with Poly-RateLimit-Warning: true."""
    buckets = limits(clock, mode="warning")
    assert "Poly-RateLimit-Warning" not in buckets.take("order", "0xA", 60)
    assert buckets.take("order", "0xA", 1)["Poly-RateLimit-Warning"] == "true"


def test_off_sends_no_headers(clock):
    """Without the limiter there is neither a refusal nor a header."""
    buckets = limits(clock, mode="off")
    assert buckets.take("order", "0xA", 10_000) == {}
    assert buckets.owe("0xA", 10_000) == {}


def test_a_list_of_ids_longer_than_the_burst_can_be_paid(clock):
    """DELETE /orders with 1000 ids passes on a full bucket and empties it."""
    buckets = limits(clock)
    assert buckets.take("cancel", "0xA", 1000)["Poly-RateLimit-Remaining"] == "0"
