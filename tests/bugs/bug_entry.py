"""One known bug, and short names of the modules whose tests show that it is not here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """What went wrong, whose it was, and the tests by node id."""

    what: str
    source: str
    tests: tuple[str, ...]


WIRE = "tests/bugs/test_on_the_wire.py::"
CANCELS = "tests/bugs/test_cancels.py::"
TWO = "tests/bugs/test_on_two_venues.py::"
AT_KALSHI = "tests/bugs/test_at_kalshi.py::"
EXCHANGE = "tests/venues/test_exchange.py::"
POSTING = "tests/venues/test_posting.py::"
PROVER = "tests/venues/test_prover.py::"
OUTCOME = "tests/venues/test_outcome.py::"
ORDERS = "tests/venues/test_orders.py::"
ACCOUNT = "tests/venues/test_account.py::"
START = "tests/venues/test_start.py::"
BOOKS = "tests/venues/test_books.py::"
STREAM = "tests/venues/test_market_stream.py::"
FRAMES = "tests/venues/test_market_frames.py::"
USER = "tests/venues/test_user_stream.py::"
EVIDENCE = "tests/venues/test_evidence.py::"
LIVE = "tests/detect/test_books.py::"
ADMISSION = "tests/detect/test_admission.py::"
SCANNER = "tests/detect/test_scanner.py::"
JUDGE = "tests/saga/test_judge.py::"
UNDO = "tests/saga/test_undo.py::"
HANDS = "tests/workflows/test_activities.py::"
DEPTH = "tests/workflows/test_depth.py::"
TRADES = "tests/workflows/test_trades.py::"
RECOVERY = "tests/workflows/test_recovery.py::"
HELD = "tests/workflows/test_held.py::"
LEDGER = "tests/ledger/test_ledger.py::"
PAYOUTS = "tests/cli/test_payouts.py::"
WATCHING = "tests/watchdog/test_watching.py::"
K_ACCOUNT = "tests/venues/kalshi/test_account.py::"
K_BOOKS = "tests/venues/kalshi/test_market_books.py::"
K_DISCOVERY = "tests/venues/kalshi/test_market_discovery.py::"
K_FRAMES = "tests/venues/kalshi/test_market_frames.py::"
K_ORDERS = "tests/venues/kalshi/test_orders.py::"
K_OUTCOME = "tests/venues/kalshi/test_outcome.py::"
K_PACE = "tests/venues/kalshi/test_pace.py::"
K_POSTING = "tests/venues/kalshi/test_posting.py::"
K_PROVER = "tests/venues/kalshi/test_prover.py::"
K_RECORDS = "tests/venues/kalshi/test_market_records.py::"
K_REST = "tests/venues/kalshi/test_rest.py::"
K_SIGNING = "tests/venues/kalshi/test_signing.py::"
K_STREAM = "tests/venues/kalshi/test_market_stream.py::"
K_USER = "tests/venues/kalshi/test_user_stream.py::"
K_VENUE = "tests/venues/kalshi/test_venue.py::"
CONTRACT = "tests/contract/"
PAIRS = "tests/pairs/"
SEVERAL = "tests/venues/test_several.py::"
