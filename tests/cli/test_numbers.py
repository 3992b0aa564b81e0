"""Numbers that a person types: what is none, or is not finite, is one line. NaN passes no comparison, and raises."""

import pytest
from arbsaga_command import Arbsaga


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "snan", "inf", "-Infinity", "much", ""])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["up", "--min-edge={}"], "is not a number, e.g. 0.005"),
        (["up", "--speed={}"], "is neither a number above 0 nor max"),
        (["exchange", "--deposit", "0x12={}"], "is not ADDRESS=USD"),
        (["exchange", "--venue", "kalshi", "--deposit", "paper/0={}"], "is not MEMBER/SHARD=USD"),
    ],
)
def test_what_is_no_finite_number_is_one_line(said: Arbsaga, args: list[str], words: str, text: str) -> None:
    said(*(arg.format(text) for arg in args)).is_one_clear_line(words)
