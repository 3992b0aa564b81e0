"""The scenarios at one venue, and all of them by name."""

from dataclasses import replace

from proof.crashes.across import ACROSS
from proof.crashes.scenario import (
    ANY_END,
    EITHER,
    FLAT,
    HASTY,
    HELD,
    NO_LOSS,
    PATIENCE,
    REFUSED,
    SHORT_BALANCE,
    Act,
    Do,
    Scenario,
)

LOSE_1 = "lose_leg,count=1,token={1}"
REST_1 = "unmatched,count=1,token={1}"

SCENARIOS = (
    # Nothing goes wrong but the worker.
    Scenario("clean-2", "two legs fill at once"),
    Scenario("clean-3", "three legs fill at once", legs=3),
    Scenario("clean-4", "four legs fill at once", legs=4),
    Scenario("hasty", "a death leaves no time to send again", patience=HASTY),
    Scenario("no-desk", "the account's desk has to be started", deskless=True),
    Scenario("halted", "trading is halted before it is entered", halted=True, ends=REFUSED),
    # The entry.
    Scenario(
        "refused-leg",
        "a leg is refused, the other is completed",
        faults=(f"reject,count=1,token={{1}},text={SHORT_BALANCE}",),
        ends=EITHER,
    ),
    Scenario("refused-all", "every leg is refused", faults=(f"reject,count=2,text={SHORT_BALANCE}",), ends=FLAT),
    Scenario(
        "odd-refusal",
        "a refusal with words that prove nothing",
        faults=("reject,count=1,token={1},text=order timed out",),
        ends=EITHER,
    ),
    Scenario("lost-leg", "a leg finds nothing and rests until its time is over", legs=3, faults=(LOSE_1,)),
    Scenario("partial", "a leg fills half", faults=("partial,count=1,token={1},share=0.5",), ends=EITHER),
    Scenario("residue", "a leg fills all but a crumb", faults=("partial,count=1,token={1},share=0.95",)),
    Scenario("delayed", "a leg is held back for a second", faults=("delayed,count=1,token={1},seconds=1",)),
    Scenario(
        "delayed-long",
        "a leg is held back beyond the entry's time",
        faults=("delayed,count=1,token={1},seconds=2.5",),
        ends=EITHER,
    ),
    Scenario("unmatched", "a leg is answered `unmatched`, and rests", faults=(REST_1,), ends=EITHER),
    Scenario(
        "wiped", "every resting order is wiped at game start", faults=(LOSE_1, "wipe,count=1,token={1}"), ends=EITHER
    ),
    Scenario("tick", "a market's tick changes under the order", faults=("tick_change,count=1,token={1},tick=0.001",)),
    Scenario("balance-stuck", "the venue goes on counting matched orders", faults=("phantom_matched,count=1",)),
    # The answer to the post.
    Scenario("no-answer", "the orders are accepted, the answer is lost", faults=("drop_response,count=1",)),
    Scenario("500-before", "500, and nothing was taken", faults=("status,code=500,count=1",), ends=EITHER),
    Scenario("500-after", "500, and everything was taken", faults=("status,code=500,after=1,count=1",)),
    Scenario("503", "503 without proof", faults=("status,code=503,count=1",), ends=EITHER),
    Scenario("425", "the engine restarts", faults=("restart,count=1,seconds=1,post_only_seconds=1",), ends=EITHER),
    Scenario("429", "the rate limit takes the batch", faults=("status,code=429,count=1",), ends=FLAT),
    Scenario(
        "late-post",
        "the bytes arrive after a second and a half",
        faults=("late_post,count=1,seconds=1.5",),
        linger_s=2,
        ends=EITHER,
    ),
    Scenario("short-batch", "the answer lacks an entry", faults=("partial_batch,count=1",)),
    Scenario("odd-batch", "an entry of the answer is malformed", faults=("partial_batch,count=1,variant=malformed",)),
    # Settlement.
    Scenario("failed-fill", "the chain takes a fill back", faults=("fail_settlement,count=1,token={1}",), ends=EITHER),
    Scenario("failed-both", "the chain takes both fills back", faults=("fail_settlement,count=2",), ends=FLAT),
    Scenario("retried-fill", "the chain tries a fill again", faults=("retry_settlement,count=1",)),
    Scenario("slow-chain", "a fill takes two seconds to settle", faults=("slow_settlement,count=1,seconds=2",)),
    # Cancelling.
    Scenario("cancel-loses", "the cancel comes after the fill", faults=(LOSE_1, "cancel_loses,count=1"), ends=EITHER),
    Scenario(
        "cancel-fails",
        "the first two cancels are not answered well",
        faults=(LOSE_1, "cancel_error,count=2"),
        ends=EITHER,
    ),
    # Undoing.
    Scenario(
        "exit", "nothing is left to complete from, what filled is sold", faults=(LOSE_1,), emptied=(1,), ends=FLAT
    ),
    Scenario(
        "hedge",
        "what filled cannot be sold yet: its complement is bought",
        faults=(LOSE_1, "slow_settlement,count=1,token={0},seconds=3"),
        emptied=(1,),
        ends=EITHER,
    ),
    Scenario(
        "undo-refused",
        "the first order that undoes is refused",
        faults=(f"reject,count=2,token={{1}},text={SHORT_BALANCE}",),
        ends=EITHER,
    ),
    Scenario(
        "undo-lost",
        "the answer to the order that undoes is lost",
        faults=(LOSE_1, "drop_response,count=1,only=SELL"),
        emptied=(1,),
        ends=FLAT,
    ),
    Scenario(
        "stale-balance", "the balance is told late", faults=(LOSE_1, "stale_balance,count=3"), emptied=(1,), ends=EITHER
    ),
    Scenario("held", "no way out is cheap enough", faults=(LOSE_1,), emptied=(1,), undo=NO_LOSS, ends=HELD),
    # The user stream.
    Scenario("silent-stream", "the user stream tells nothing", faults=("drop_user_events",)),
    Scenario("broken-stream", "the user stream breaks at every event", faults=("drop_stream,count=3,channel=user",)),
    Scenario("mixed-stream", "events come late and twice", faults=("reorder_events,seconds=0.6", "duplicate_events")),
    # People.
    Scenario("abort-first", "aborted as soon as it is started", acts=(Act(Do.ABORT),), ends=ANY_END),
    Scenario(
        "abort-resting",
        "aborted while a leg rests",
        faults=(REST_1,),
        acts=(Act(Do.ABORT, "order", 2),),
        patience=replace(PATIENCE, entry=4_000),
        ends=EITHER,
    ),
    Scenario(
        "abort-settling",
        "aborted when all have filled",
        faults=("slow_settlement,seconds=1",),
        acts=(Act(Do.ABORT, "fill", 2),),
    ),
    Scenario(
        "cancel-undoing",
        "cancelled in the UI while it undoes",
        faults=(LOSE_1,),
        emptied=(1,),
        acts=(Act(Do.CANCEL, "canceled", 1),),
        ends=FLAT,
    ),
    Scenario(
        "halt-undoing", "halted while it undoes", faults=(LOSE_1,), acts=(Act(Do.HALT, "canceled", 1),), ends=EITHER
    ),
    # Two at once.
    Scenario(
        "lost-and-failed",
        "no answer, and a fill is taken back",
        faults=("drop_response,count=1", "fail_settlement,count=1,token={0}"),
        ends=EITHER,
    ),
    Scenario(
        "500-and-partial",
        "500 after half a fill",
        faults=("status,code=500,after=1,count=1", "partial,count=1,token={1},share=0.5"),
        ends=EITHER,
    ),
    Scenario(
        "race-and-silence",
        "the cancel loses and the stream is silent",
        faults=(LOSE_1, "cancel_loses,count=1", "drop_user_events"),
        ends=EITHER,
    ),
    Scenario(
        "slow-wire",
        "every call takes 150 ms, a leg of three is lost",
        legs=3,
        faults=("latency,ms=150", LOSE_1),
        ends=EITHER,
    ),
)
"""Cut at every point."""

INTERVENTIONS = (
    Scenario(
        "terminate-placed",
        "terminated with its orders out",
        faults=(REST_1,),
        acts=(Act(Do.TERMINATE, "order", 2),),
        patience=replace(PATIENCE, entry=3_000),
        ends=ANY_END,
    ),
    Scenario(
        "terminate-settling",
        "terminated while it settles",
        faults=("slow_settlement,seconds=1",),
        acts=(Act(Do.TERMINATE, "fill", 2),),
    ),
    Scenario(
        "terminate-undoing",
        "terminated while it undoes",
        faults=(LOSE_1,),
        acts=(Act(Do.TERMINATE, "canceled", 1),),
        ends=ANY_END,
    ),
    Scenario(
        "terminate-exiting",
        "terminated when an exit is out",
        faults=(LOSE_1,),
        emptied=(1,),
        acts=(Act(Do.TERMINATE, "order", 3),),
        ends=ANY_END,
    ),
    Scenario(
        "reset-placed",
        "reset to the beginning with its orders out",
        faults=(REST_1,),
        acts=(Act(Do.RESET, "order", 2),),
        patience=replace(PATIENCE, entry=3_000),
        ends=ANY_END,
    ),
    Scenario(
        "reset-undoing",
        "reset to the beginning while it undoes",
        faults=(LOSE_1,),
        acts=(Act(Do.RESET, "canceled", 1),),
        ends=ANY_END,
    ),
    Scenario(
        "reset-exiting",
        "reset to the beginning when an exit is out",
        faults=(LOSE_1,),
        emptied=(1,),
        acts=(Act(Do.RESET, "order", 3),),
        ends=ANY_END,
    ),
    Scenario(
        "reset-last",
        "reset to its last task while it settles",
        faults=("slow_settlement,seconds=1",),
        acts=(Act(Do.RESET_LAST, "fill", 2),),
    ),
    Scenario(
        "reset-twice",
        "reset when placed, and again when it undoes",
        faults=(LOSE_1,),
        acts=(Act(Do.RESET, "order", 2), Act(Do.RESET_LAST, "canceled", 1)),
        ends=ANY_END,
    ),
)
"""Terminate and Reset in the Temporal UI; uncut, and cut at chosen points."""

BY_NAME = {scenario.name: scenario for scenario in (*SCENARIOS, *INTERVENTIONS, *ACROSS)}
