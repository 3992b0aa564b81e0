"""The scenarios over two venues: leg 0 at Polymarket, leg 1 at Kalshi, each with what only such a trade can meet.

Kalshi's fills are final at once, its reads lag, an order is found there by its client_order_id only; it can be dead or
paused while the other leg has filled.
"""

from dataclasses import replace

from proof.crashes.scenario import (
    ANY_END,
    EITHER,
    FLAT,
    HELD,
    NO_LOSS,
    PATIENCE,
    Act,
    Do,
    Scenario,
)

CREATE = "path=/trade-api/v2/portfolio/events/orders"
LOSE_0 = "lose_leg,count=1,token={0}"
LOSE_1 = "lose_leg,count=1,token={1}"
UNTOLD = ("freeze_stream,seconds=3600,channel=fill", "freeze_stream,seconds=3600,channel=user_orders")
SLOW = f"latency,ms=800,count=1,{CREATE}"
"""The order is at Kalshi 0.4 s after it was sent: time enough for the other leg to fill and for an act."""
LONG_PATIENCE = replace(PATIENCE, entry=4_000)

ACROSS = (
    # The entry.
    Scenario("across", "both legs fill at once", across=True),
    Scenario("across-fractions", "10.37 of each, at once", across=True, size="10.37"),
    Scenario("kalshi-lost", "Kalshi's leg finds nothing", across=True, kalshi=(LOSE_1,), ends=EITHER),
    Scenario("polymarket-lost", "Polymarket's leg finds nothing", across=True, faults=(LOSE_0,), ends=EITHER),
    Scenario(
        "kalshi-part",
        "Kalshi's leg fills 3.46 of 10.37",
        across=True,
        kalshi=("partial,count=1,share=0.3337,token={1}",),
        size="10.37",
        ends=EITHER,
    ),
    # The answer to the post.
    Scenario(
        "kalshi-no-answer", "Kalshi takes its order, the answer is lost", across=True, kalshi=("drop_response,count=1",)
    ),
    Scenario(
        "kalshi-500",
        "500 from a gateway, and Kalshi has the order",
        across=True,
        kalshi=("status,code=500,after=1,count=1",),
    ),
    Scenario(
        "kalshi-gone",
        "the bytes to Kalshi never arrive, and no answer comes",
        across=True,
        kalshi=("lost,count=1",),
        ends=EITHER,
    ),
    Scenario(
        "kalshi-late",
        "the bytes arrive at Kalshi after a second and a half",
        across=True,
        kalshi=("late_post,count=1,seconds=1.5",),
        linger_s=2,
        ends=EITHER,
    ),
    Scenario(
        "kalshi-stale",
        "the answer is lost, the stream tells nothing, reads are 3 s behind",
        across=True,
        kalshi=("drop_response,count=1", "stale_read,seconds=3", *UNTOLD),
        ends=EITHER,
    ),
    # Kalshi is away, the other leg has filled.
    Scenario(
        "kalshi-dies",
        "Kalshi dies with its order resting, and comes back after 4 s",
        across=True,
        kalshi=(LOSE_1,),
        acts=(Act(Do.KILL, "order", 1, "kalshi"),),
        away_s=4,
        ends=EITHER,
    ),
    Scenario(
        "kalshi-dies-unknown",
        "Kalshi dies with the order filled, and the answer is lost",
        across=True,
        kalshi=(SLOW,),
        acts=(Act(Do.KILL, "order", 1, "kalshi"),),
        away_s=4,
        ends=EITHER,
    ),
    Scenario(
        "kalshi-pauses",
        "trading at Kalshi is paused as its order comes: 409",
        across=True,
        kalshi=(SLOW,),
        acts=(Act(Do.PAUSE, "fill", 1),),
        away_s=2,
        ends=EITHER,
    ),
    # The less certain leg first.
    Scenario("first", "Kalshi's leg first, the other follows", across=True, first=(1,)),
    Scenario(
        "first-part",
        "6.13 of the first leg fill at Kalshi, the other follows for as many",
        across=True,
        kalshi=("partial,count=1,share=0.6137,token={1}",),
        first=(1,),
        ends=EITHER,
    ),
    Scenario(
        "first-lost", "the first leg finds nothing", across=True, kalshi=(LOSE_1,), first=(1,), emptied=(1,), ends=FLAT
    ),
    Scenario(
        "first-no-answer",
        "the answer to the first leg is lost",
        across=True,
        kalshi=("drop_response,count=1",),
        first=(1,),
    ),
    Scenario(
        "follower-dies",
        "Kalshi dies between the waves, its leg is the one that follows",
        across=True,
        first=(0,),
        acts=(Act(Do.KILL, "fill", 1),),
        away_s=3,
        ends=EITHER,
    ),
    # Undoing.
    Scenario(
        "kalshi-exit-refused",
        "nothing is left at Polymarket; Kalshi refuses the first two exits",
        across=True,
        faults=(LOSE_0,),
        kalshi=("reject,count=2,only=exit,token={1}",),
        emptied=(0,),
        ends=FLAT,
    ),
    Scenario(
        "kalshi-exit-unknown",
        "500 to the exit at Kalshi, which was taken",
        across=True,
        faults=(LOSE_0,),
        kalshi=("status,code=500,after=1,count=1,only=exit",),
        emptied=(0,),
        ends=FLAT,
    ),
    Scenario(
        "kalshi-exit-paused",
        "Kalshi pauses when its leg has to be sold",
        across=True,
        faults=(LOSE_0,),
        emptied=(0,),
        acts=(Act(Do.PAUSE, "trade", 1, "kalshi"),),
        away_s=3,
        ends=FLAT,
    ),
    Scenario(
        "kalshi-cancel-loses",
        "the cancel at Kalshi comes after the fill",
        across=True,
        kalshi=(LOSE_1, "cancel_loses,count=1"),
        ends=EITHER,
    ),
    Scenario(
        "across-held",
        "no way out is cheap enough",
        across=True,
        kalshi=(LOSE_1,),
        emptied=(1,),
        undo=NO_LOSS,
        ends=HELD,
    ),
    # Settlement.
    Scenario(
        "failed-after-final",
        "the chain takes Polymarket's fill back, Kalshi's is final",
        across=True,
        faults=("fail_settlement,count=1,token={0}",),
        ends=EITHER,
    ),
    # People.
    Scenario(
        "across-aborted",
        "aborted while Kalshi's leg rests",
        across=True,
        kalshi=(LOSE_1,),
        acts=(Act(Do.ABORT, "order", 1, "kalshi"),),
        patience=LONG_PATIENCE,
        ends=EITHER,
    ),
    Scenario(
        "across-reset",
        "reset to the beginning with Kalshi's leg resting",
        across=True,
        kalshi=(LOSE_1,),
        acts=(Act(Do.RESET, "order", 1, "kalshi"),),
        patience=replace(PATIENCE, entry=3_000),
        ends=ANY_END,
    ),
)
"""Cut at every point, as those at one venue."""
