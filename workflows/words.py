"""A trade in a trader's words, for the Temporal UI."""

from collections.abc import Sequence

from arbsaga.domain.orders import OrderTerms, OrderView
from arbsaga.saga.messages import TradeRecord

SUMMARY_LIMIT = 200
"""Characters; the server refuses a summary over 400 bytes, and titles are not ASCII only."""


def order(terms: OrderTerms) -> str:
    """E.g. "buy 12 YES Lakers @ 0.41"."""
    instrument = terms.instrument
    purpose = "" if terms.purpose == "enter" else f"{terms.purpose}: "
    size = f"{terms.size.normalize():f}"
    return f"{purpose}{terms.side.lower()} {size} {instrument.outcome} {instrument.title} @ {terms.limit:f}"


def orders(views: Sequence[OrderView]) -> str:
    """The orders, one after the other."""
    return ", ".join(order(view.terms) for view in views)


def short(summary: str) -> str:
    """A summary that the server takes."""
    while len(summary.encode()) > SUMMARY_LIMIT * 2 or len(summary) > SUMMARY_LIMIT:
        summary = summary[: len(summary) * 9 // 10] + "…"
    return summary


def details(record: TradeRecord) -> str:
    """Markdown for the workflow's page in the UI."""
    lines = [f"**{record.phase}** {record.plan.basket.title}", ""]
    lines += [f"- {order(view.terms)}: {view.state}, filled {view.known:f} {view.reason}" for view in record.orders]
    lines += ["", f"spent {record.spent:f} USD, pays {record.payout:f} USD, profit {record.profit:f} USD"]
    return "\n".join([*lines, record.reason])
