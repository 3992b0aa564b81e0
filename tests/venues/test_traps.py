"""Every known trap of the venue has a test that names it."""

import re
from pathlib import Path

from .traps import ELSEWHERE, TRAPS

NAMED = re.compile(r"[Tt]raps? ((?:\d+(?:\.\d+)?(?:, | and )?)+)")


def test_each_is_named_by_a_test():
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    named = {
        number for text in texts for found in NAMED.findall(text) for number in re.findall(r"\d+(?:\.\d+)?", found)
    }
    assert named == set(TRAPS)
    assert not named & set(ELSEWHERE)
