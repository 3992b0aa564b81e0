"""What a case must end like: each breach is one sentence.

The exchanges' records are judged by `tools/check_truth.py`, which shares nothing with the trading code. Here is only
what that cannot see: that the workflow itself has ended, and says what the ledger says.
"""

from collections.abc import Iterator

from arbsaga.ledger import Ledger
from arbsaga.saga.messages import ENDS, Phase
from proof.crashes.setting import MEMBER, Setting
from tools.check_truth import check

LATE_MS = 1_000
"""On a busy machine the exchange reads so long after the bytes have left."""
ANY_TIME_MS = 60_000
"""Where the exchange itself holds a post back."""
MANY_EVENTS = 2_000
"""Events of one run of a trade: far above any, so that a trade that turns in circles is found out."""


def judge(setting: Setting, trade_id: str, phase: Phase | None, ledger: Ledger, *, delivered_late: bool) -> list[str]:
    """Everything that is wrong with the account after this trade. `delivered_late`: the exchange did that itself."""
    story = ledger.trade(trade_id)
    recorded = story.row.phase if story and story.row else None
    late_ms = ANY_TIME_MS if delivered_late else LATE_MS
    files = (setting.truth, setting.ledger_file, setting.alerts)
    kalshi = setting.truths.get("kalshi")
    found = check(*files, setting.account, setting.wallet, late_ms=late_ms, kalshi_truth=kalshi, kalshi_member=MEMBER)
    return [*ended(phase, recorded), *found.violations]


def ended(phase: Phase | None, recorded: Phase | None) -> Iterator[str]:
    """The workflow has ended, and as the ledger has it."""
    if phase not in ENDS:
        yield f"the trade did not end: it is {phase or 'nowhere'}"
    elif phase is not recorded:
        yield f"the trade ended {phase}, the ledger has it {recorded or 'not at all'}"
