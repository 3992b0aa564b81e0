"""The verdict: what the exchange's own record says of our trades, against what our ledger says.

Shares, money and fees are the exchange's; the ledger only tells which order belongs to which leg of which trade.
Our own state is never the judge of itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import MICRO, ZERO, Size, Usd, ceil_to, floor_to
from arbsaga.domain.orders import OrderView
from arbsaga.exchange.truth import TrueFill, TrueOrder, Truth
from arbsaga.ledger import Ledger, TradeStory
from arbsaga.saga.messages import Phase
from workers.accounts import cash_at
from workers.exposure import holding, plain


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run compares. Shares and USD; the tuples are sentences for a person.

    `duplicate_orders`: posts of an order that the exchange already had, and second orders for one attempt.
    `unhedged_shares`: held beyond what the other legs match, of trades that are not HELD; `held_shares` the same of
    HELD trades; `residue_shares`: too little for any order. `profit_usd`: what trades paid, or pay at least, less
    what they cost. `rounding_usd`: fractions of a millionth that the exchange rounds down and the ledger against us.
    `resolved_differently` names the pairs whose two markets paid what their relation rules out, as far as trades
    held them. `venues` has each venue's part, empty where only one is judged.
    """

    orders_sent: int
    duplicate_orders: int
    fees_equal_billed: bool
    differences: tuple[str, ...]
    unhedged_shares: Size
    held_shares: Size
    residue_shares: Size
    profit_usd: Usd
    rounding_usd: Usd
    exposures: tuple[str, ...]
    resolved_differently: tuple[str, ...] = ()
    venues: Mapping[str, "AtVenue"] = field(default_factory=dict)

    @property
    def ledger_equals_exchange(self) -> bool:
        """Whether nothing differs: orders, fills, fees, cash and positions."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class AtVenue:
    """One venue's part, in USD: cash by the exchange and by the ledger, fees as billed; orders it accepted."""

    orders: int
    duplicates: int
    cash: Usd
    booked_cash: Usd
    fees: Usd


def compare(truth: Truth, ledger: Ledger, account: str, by_venue: Mapping[str, Truth] | None = None) -> Verdict:
    """Compare one account's truth with its ledger. Everything should have settled: what has not is a difference.

    `by_venue`: where `truth` is of several venues together, each one's; then its cash must be its ledger's cash too.
    """
    venues = {name: _at_venue(name, one, ledger, account) for name, one in (by_venue or {}).items()}
    trade_ids = dict.fromkeys(intent.terms.trade_id for intent in ledger.intents(account))
    stories = [story for trade_id in trade_ids if (story := ledger.trade(trade_id)) is not None]
    views = {view.order_id: view for story in stories for view in story.orders if view.order_id}
    holdings = [holding(story, truth) for story in stories]
    fees = tuple(_fee_differences(truth, views))
    rounding = Usd(sum((_rounded(fill) for fill in truth.fills if fill.alive), ZERO))
    return Verdict(
        orders_sent=len(truth.orders),
        duplicate_orders=len(truth.duplicates) + _doubled(truth.orders.values()),
        fees_equal_billed=not fees and truth.fees == ledger.fees(account),
        differences=(
            *_order_differences(truth, views),
            *fees,
            *_overfilled(truth, stories),
            *_money_differences(truth, ledger, account, rounding),
            *_venue_differences(by_venue or {}, venues),
        ),
        unhedged_shares=Size(sum((one.surplus for one in holdings if one.phase is not Phase.HELD), ZERO)),
        held_shares=Size(sum((one.surplus for one in holdings if one.phase is Phase.HELD), ZERO)),
        residue_shares=Size(sum((one.residue for one in holdings), ZERO)),
        profit_usd=Usd(sum((one.profit for one in holdings), ZERO)),
        rounding_usd=rounding,
        exposures=tuple(one.words for one in holdings if one.surplus),
        resolved_differently=tuple(dict.fromkeys(_resolved_differently(truth, stories))),
        venues=venues,
    )


def _at_venue(name: str, truth: Truth, ledger: Ledger, account: str) -> AtVenue:
    booked = cash_at(ledger, account, name)
    return AtVenue(len(truth.orders), len(truth.duplicates), Usd(truth.cash), booked, Usd(truth.fees))


def _venue_differences(truths: Mapping[str, Truth], venues: Mapping[str, AtVenue]) -> Iterator[str]:
    """One venue's surplus must not hide another's want."""
    for name, one in venues.items():
        rounding = sum((_rounded(fill) for fill in truths[name].fills if fill.alive), ZERO)
        if one.booked_cash + rounding != one.cash:
            yield f"cash at {name}: the exchange has {plain(one.cash)} USD, the ledger {plain(one.booked_cash)}"


def _resolved_differently(truth: Truth, stories: Iterable[TradeStory]) -> Iterator[str]:
    """Pairs that trades held, and whose markets paid less than the relation promises, or more than it allows."""
    for story in stories:
        if story.row is None or story.row.plan.basket.kind not in (BasketKind.IDENTITY, BasketKind.NESTED):
            continue
        basket = story.row.plan.basket
        worths = [truth.worth.get(leg.instrument.token) for leg in basket.legs]
        paid = sum((worth for worth in worths if worth is not None), ZERO)
        if None in worths or not any(view.filled for view in story.orders):
            continue
        if paid < basket.payout or (basket.kind is BasketKind.IDENTITY and paid > basket.payout):
            yield basket.event.removeprefix("pairs/")


def _doubled(orders: Iterable[TrueOrder]) -> int:
    """Accepted orders beyond the first with one salt: the salt is a function of trade, leg and attempt."""
    salts = [order.salt for order in orders]
    return len(salts) - len(set(salts))


def _order_differences(truth: Truth, views: Mapping[str, OrderView]) -> Iterator[str]:
    for order in truth.orders.values():
        view = views.get(order.order_id)
        if view is None:
            yield f"the exchange accepted {_words(order)}, which the ledger never intended"
            continue
        if order.filled != view.filled:
            ours, theirs = plain(view.filled), plain(order.filled)
            yield f"{_words(order)}: the exchange filled {theirs} shares, the ledger has {ours}"
        if order.open and view.state.final:
            yield f"{_words(order)} still rests at the exchange, the ledger has it {view.state}"
    for order_id, view in views.items():
        if order_id not in truth.orders and view.filled:
            yield f"the ledger has {plain(view.filled)} shares of order {order_id}, which the exchange never accepted"
    for fill in truth.fills:
        if not fill.settled:
            yield f"fill {fill.trade_id} of order {fill.order_id} has not settled: it is {fill.status}"


def _words(order: TrueOrder) -> str:
    return f"order {order.order_id} ({order.side} {plain(order.size)} of {order.token} at {plain(order.price)})"


def _fee_differences(truth: Truth, views: Mapping[str, OrderView]) -> Iterator[str]:
    for order_id in truth.orders:
        billed = sum((fill.fee for fill in truth.fills_of(order_id) if fill.alive), ZERO)
        booked = _booked_fee(views[order_id]) if order_id in views else ZERO
        if billed != booked:
            yield f"order {order_id}: {plain(billed)} USD of fees were billed, {plain(booked)} booked"


def _booked_fee(view: OrderView) -> Decimal:
    return sum((fill.fee for fill in view.fills if fill.status != "FAILED"), ZERO)


def _overfilled(truth: Truth, stories: Iterable[TradeStory]) -> Iterator[str]:
    """Over all attempts, a leg must never fill beyond what was planned for it."""
    for story in stories:
        if story.row is None:
            continue
        for index, planned in enumerate(story.row.plan.legs):
            leg = story.row.plan.basket.legs[index]
            ids = [view.order_id for view in story.orders if view.terms.leg == index]
            fills = [fill for order_id in ids for fill in truth.fills_of(order_id) if fill.alive]
            own = [fill for fill in fills if fill.token == leg.instrument.token]
            net = sum((fill.size if fill.side == leg.side else -fill.size for fill in own), ZERO)
            if net > planned.size:
                limit = plain(planned.size)
                yield f"trade {story.row.trade_id} filled {plain(net)} shares of leg {index}, {limit} were planned"


def _money_differences(truth: Truth, ledger: Ledger, account: str, rounding: Usd) -> Iterator[str]:
    cash, fees, balance = ledger.cash(account), ledger.fees(account), ledger.postings_balance()
    if cash + rounding != truth.cash:
        yield f"cash: the exchange has {plain(truth.cash)} USD, the ledger {plain(cash)}"
    if fees != truth.fees:
        yield f"fees: {plain(truth.fees)} USD were billed in all, {plain(fees)} booked"
    if balance:
        yield f"the ledger's postings do not sum to zero: {plain(balance)}"
    positions = ledger.positions(account)
    for token in sorted(positions.keys() | truth.positions.keys()):
        ours, theirs = positions.get(token, ZERO), truth.positions.get(token, ZERO)
        if ours != theirs:
            paid = _paid_out(truth, token)
            yield f"position {token}: the exchange has {plain(theirs)} shares, the ledger {plain(ours)}{paid}"


def _paid_out(truth: Truth, token: str) -> str:
    paid = [payout for payout in truth.payouts if payout.token == token]
    if not paid:
        return ""
    shares, usd = sum((one.shares for one in paid), ZERO), sum((one.usd for one in paid), ZERO)
    return f"; the exchange has paid out {plain(shares)} of them for {plain(usd)} USD"


def _rounded(fill: TrueFill) -> Decimal:
    """What the ledger books on this fill against us beyond what the exchange moved."""
    value = fill.size * fill.price
    return ceil_to(value, MICRO) - fill.usd if fill.side == Side.BUY else fill.usd - floor_to(value, MICRO)
