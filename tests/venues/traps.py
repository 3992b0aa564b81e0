"""What this venue, or its official client, has done to real bots: each is named by the test that holds it off.

Numbers are this list's own; docstrings say "Trap 7.13". Sources in brackets are GitHub repositories of Polymarket
where no owner is named, or the venue's documents.
"""

TRAPS = {
    "1.4": "without a deployed wallet the official client deploys one at its start (polymarket-client)",
    "1.5": "/price of BUY is the best ask, of SELL the best bid (docs, price)",
    "1.6": "a market has both id fields, its version chooses; V2 condition ids have 31 or 32 bytes (docs)",
    "1.7": "Protocol V2 positions are the asset type CONDITIONAL-V2 (polymarket-client)",
    "2.4": "the client calls `unmatched` rejected, and gives up on a batch for one odd entry (polymarket-client)",
    "2.5": "amounts with a decimal too many are refused; FOK and FAK buys fix dollars (docs, place orders)",
    "2.6": "batch entries are independent; resting orders are wiped at game start (docs, order lifecycle)",
    "2.7": "bought shares cannot be sold before they settle: balance 0 (docs, order lifecycle)",
    "3.3": "the token bucket refuses a batch as a whole (docs, rate limits)",
    "4.2": "user events come early, twice, out of order; a maker's part is inside maker_orders (docs, wss/user)",
    "5": "fee_rate_bps of trades and /fee-rate are legacy: 1000 wherever there is a fee (py-clob-client-v2 #107)",
    "7.1": "timeout, but matched; retries filled three times (py-clob-client #273, #261)",
    "7.2": "posting again answers Duplicated (docs, error codes)",
    "7.3": "MATCHED never settles, or fails; buying again doubled positions (py-clob-client-v2 #34)",
    "7.4": "the sum of matched orders keeps growing and locks the balance (py-clob-client #342, #287)",
    "7.5": "balance 0 with the wrong funder or signature type (py-clob-client #109, #264, #319)",
    "7.6": "invalid signature on neg-risk markets (py-clob-client #79)",
    "7.7": "order_version_mismatch after a cutover (py-clob-client-v2 #32)",
    "7.8": "order signer is not the API key's, for deposit wallets (py-clob-client-v2 #75)",
    "7.9": "FOK and FAK precision (py-clob-client #121, #253, #305; py-clob-client-v2 #99)",
    "7.10": "taker amount must equal size times price (JKorf/Polymarket.Net #5)",
    "7.11": "the order is empty after a match (py-clob-client #217)",
    "7.12": "a FAK without a match is HTTP 400 (clob-client #323)",
    "7.13": "streams silent for hours with PONG alive (py-clob-client #292, real-time-data-client #26)",
    "7.14": "/book stale at 0.01/0.99 (py-clob-client #180)",
    "7.16": "the book's hash cannot be reproduced (py-clob-client-v2 #117)",
    "7.17": "market_resolved never comes (rs-clob-client #226)",
    "7.19": "`order can't be found - already canceled or matched`, in a loop (nautechsystems/nautilus_trader #3797)",
    "7.20": "425 while the engine restarts, then two minutes of post-only (py-clob-client #286)",
    "7.21": "a delayed order cannot be cancelled (docs, order lifecycle)",
    "7.22": "the text of a 503 no longer says whether cancels work (docs, matching engine)",
    "7.23": "cancel-all drains the cancel bucket below zero (docs, rate limits)",
    "7.24": "a tick that changes in flight (docs, wss/market)",
    "7.26": "a client that posts again by itself hides success behind Duplicated (py-clob-client-v2, retry_on_error)",
    "8.1": "the official client knows production only; its environment is an internal module (polymarket-client)",
    "8.2": "place_* may send an on-chain approval and post again (polymarket-client)",
    "8.4": "reconnects are invisible, and a frame over 1 MiB kills the socket again and again (polymarket-client)",
}

ELSEWHERE = {
    "7.15": "books that cross for a moment: the live books wait before they take it for a gap",
    "7.18": "deltas that arrive while a snapshot is in flight: kept by the live books",
    "7.25": "one basket traded twice at once: the workflow's id is the lock",
    "7.27": "relayer and RPC flakiness: no on-chain step is taken here",
}
"""Held off by other parts."""
