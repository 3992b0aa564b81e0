"""What was never confirmed against the live venue, and what we do until it is: `arbsaga doctor` lists it.

No source settles these (official docs, the official clients' source, dated field reports). The simulated exchange
can be set to behave either way for most of them. Delete a row once a live test has settled it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """`question` about a venue, and what `we_do` meanwhile."""

    question: str
    we_do: str
    venue: str = "polymarket"


UNCONFIRMED: tuple[Unconfirmed, ...] = (
    Unconfirmed(
        "How far a clock may be off for signed requests (HMAC) and orders",
        "refuse to start beyond 5 s; keep NTP running",
    ),
    Unconfirmed(
        "Whether an order with an old timestamp is refused",
        "stamp each attempt with its own time and send it within a second",
    ),
    Unconfirmed(
        "Whether GET /data/order still shows fully matched and killed orders",
        "take null and 404 for no answer, and look at trades and the user stream",
    ),
    Unconfirmed(
        "Status and user events of a killed FOK or FAK",
        "enter and undo with GTC orders only",
    ),
    Unconfirmed(
        "Whether `unmatched` means that the order rests",
        "treat it as possibly live, look it up by its id and cancel it",
    ),
    Unconfirmed(
        "Whether a dead-man heartbeat that ran out stays armed, or is over with its one cancel-all",
        "beat for as long as the watchdog lives, and go on at its next start",
    ),
    Unconfirmed(
        "Whether making and taking amounts of an answer include the fee",
        "never compute with them: fills come from trades",
    ),
    Unconfirmed(
        "How a fee is rounded at its fifth decimal, and whether per fill or per order",
        "round up, per fill; compare with the bill",
    ),
    Unconfirmed(
        "Precision of FOK/FAK amounts on ticks finer than 0.01",
        "send no FOK or FAK",
    ),
    Unconfirmed(
        "Whether min_order_size counts shares or dollars",
        "take it for shares, and keep every order at $1 or more",
    ),
    Unconfirmed(
        "Width of Protocol V2 condition ids on the user stream and in cancel-market",
        "subscribe to all markets and cancel by order id",
    ),
    Unconfirmed(
        "Whether `market_resolved` is sent for Protocol V2 markets",
        "ask for the resolution instead of waiting to be told",
    ),
    Unconfirmed(
        "Which series are Protocol V2 today",
        "choose the contract by each market's own version and token id",
    ),
    Unconfirmed(
        "The value of GET /version after Protocol V2",
        "do not ask for it",
    ),
    Unconfirmed(
        "How long a taker order is held back where `itode` is set (50 or 250 ms)",
        "wait for the answer within the post's limit; look the order up after it",
    ),
    Unconfirmed(
        "From when on, and how strictly, the per-signer rate limits are enforced",
        "treat them as enforced",
    ),
    Unconfirmed(
        "The most assets of one market socket, and the largest frame",
        "100 tokens a socket, so that the first dump stays under 1 MiB",
    ),
    Unconfirmed(
        "Whether neg-risk settlement needs an allowance of the old Neg Risk Adapter",
        "not checked: approve 0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296 if a rejection names it",
    ),
    Unconfirmed(
        "Whether shares can be sold at MINED or only at CONFIRMED",
        "ask the venue what can be sold before each exit, and count inventory at CONFIRMED",
    ),
)

_KALSHI = (
    (
        "Whether an accepted order is answered 201 or 200",
        "take any 2xx with an order id; one without leaves the order UNKNOWN",
    ),
    (
        "Whether a refused order can have reached the book where the answer is 429 or 503",
        "take it for UNKNOWN and prove it; never send it again",
    ),
    ("How an immediate-or-cancel order without liquidity is answered", "enter with good_till_canceled orders only"),
    ("How a post-only order that crosses is answered", "send no post-only order"),
    ("How far a clock may be off for signed requests", "refuse to start beyond 4 s; keep NTP running"),
    ("Whether the account is a direct member (balances in $0.0001) or not (in $0.01)", "assume $0.01, the dearer"),
    ("How a fee is rounded where an ask closes YES rather than opens NO", "count one unit of precision for each fill"),
    ("How many tickers one request for order books may name", "at most 100"),
    ("Whether books in YES prices are the default by now", "say on every subscription which prices are wanted"),
    (
        "How the settlement of a voided market is told",
        "book contracts × the market's settlement value, or that of the account's settlement; page what differs",
    ),
    (
        "Whether replies to commands count in a subscription's sequence",
        "understand both; ask for snapshots on any gap",
    ),
    (
        "How a market that takes no orders is named in a refusal (`market_inactive`, `market_already_closed`, or else)",
        "take any 4xx of the venue's own shape for a refusal, whatever its words",
    ),
    (
        "How a refusal for a lapsed location attestation is worded",
        "take a 403 that names region, location or attestation for one; any other 403 halts the entries",
    ),
    ("Anything that Kalshi changed after 2026-10-13", "run the doctor and a small trade first"),
)

UNCONFIRMED += tuple(Unconfirmed(question, we_do, "kalshi") for question, we_do in _KALSHI)
