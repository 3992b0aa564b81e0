"""Which cases an effort runs: a seeded sample, or every scenario at every point."""

import random
from collections.abc import Iterable, Sequence

from proof.crashes.across import ACROSS
from proof.crashes.cuts import ANY, Cut, How, Moment, Point, cuts_of
from proof.crashes.scenarios import INTERVENTIONS, SCENARIOS
from proof.crashes.setting import Case, CaseResult

SEED = 3
EARLY_PASSES = {Moment.WRITTEN: 1, Moment.FLYING: 1}
"""How many moments of a kind every trade passes; three of the others."""
ZOMBIES = ("clean-2", "clean-3", "hasty", "lost-leg", "exit", "partial", "abort-resting", "undo-refused")
"""Whose worker is stopped and woken, beside being killed."""
ZOMBIES_ACROSS = ("across", "kalshi-lost", "first", "kalshi-dies", "kalshi-exit-refused")
POSTING_ACROSS = ("written:post#1", "flying:post_kalshi#1", "written:post#2", "sent:place_legs#1", "lost:task#3")
POSTING = ("before:place_legs#1", "written:post#1", "flying:post#1", "sent:place_legs#1", "done:task#2", "lost:task#3")
UNDOING = ("before:exit_leg#1", "written:post#2", "flying:post#2", "before:cancel_leg#1", "before:read_books#1")
EXITING = ("written:post#2", "sent:exit_leg#1")
REFUSED = Point(Moment.SENT, ANY, 1)
AFTERWARDS = ("before:any#4", "sent:any#3", "done:task#3", "lost:task#2")
"""Where the worker dies in trades that are terminated or reset as well."""


def quick() -> list[Case]:
    """Every scenario once, every kind of cut several times, and some of everything else. The same list every time."""
    rng = random.Random(SEED)
    moments = list(Moment)
    cases = [
        # A trade that is refused before it is entered posts nothing and ends soon.
        Case(scenario.name, Cut(_somewhere(moments[at % len(moments)], rng) if not scenario.halted else REFUSED))
        for at, scenario in enumerate(SCENARIOS + INTERVENTIONS + ACROSS)
    ]
    zombies = zip(ZOMBIES[:4], POSTING, (How.LATE, How.EARLY, How.LATE, How.EARLY), strict=False)
    cases += [Case(name, Cut(Point.read(point), how)) for name, point, how in zombies]
    cases.append(Case("across", Cut(Point.read("written:post#1"), How.LATE)))
    cases.append(Case("first", Cut(Point.read("before:place_legs#2"))))  # between the waves
    cases += [Case(name, forgetful=True) for name in ("clean-2", "lost-leg", "kalshi-lost")]
    cases += [Case(scenario.name) for scenario in INTERVENTIONS[::4]]
    rng.shuffle(cases)
    return cases


def references() -> list[Case]:
    """Every scenario uncut: what moments it passes, and whether it is what it says."""
    return [Case(scenario.name) for scenario in SCENARIOS + ACROSS]


def matrix(uncut: Iterable[CaseResult], *, full: bool) -> list[Case]:
    """Every scenario at every moment that its uncut run passed, shuffled. `full`: by a stopped worker too."""
    cases = []
    for result in uncut:
        trace = [Point.read(name) for name in result.trace]
        for how in How if full else (How.KILL,):
            cases += [Case(result.case.scenario, cut) for cut in cuts_of(trace, how)]
    random.Random(SEED).shuffle(cases)
    return cases


def others() -> list[Case]:
    """Stopped workers, forgetful ones, and people who terminate and reset."""
    cases = [Case(name, cut) for name in ZOMBIES for cut in _stops(POSTING)]
    cases += [Case(name, cut) for name in ("lost-leg", "exit", "undo-refused", "hedge") for cut in _stops(UNDOING)]
    cases += [Case(name, cut) for name in ("reset-exiting", "terminate-exiting") for cut in _stops(EXITING)]
    cases += [Case(name, cut) for name in ZOMBIES_ACROSS for cut in _stops(POSTING_ACROSS)]
    cases += [Case(scenario.name, forgetful=True) for scenario in SCENARIOS + ACROSS]
    for scenario in INTERVENTIONS:
        cases += [Case(scenario.name), *(Case(scenario.name, Cut(Point.read(point))) for point in AFTERWARDS)]
    random.Random(SEED).shuffle(cases)
    return cases


def under_outage(number: int) -> list[Case]:
    """Cases during which the Temporal server is killed: some whole, some whose worker dies as well."""
    rng = random.Random(SEED)
    names = [scenario.name for scenario in SCENARIOS]
    names += [scenario.name for scenario in ACROSS]
    chosen = ["clean-2", "exit", "held", "across", *rng.sample(names, max(0, number - 4))][:number]
    cuts = (None, Cut(Point(Moment.SENT, ANY, 2)), None, Cut(Point(Moment.DONE, ANY, 3)))
    return [Case(name, cuts[at % len(cuts)]) for at, name in enumerate(chosen)]


def _somewhere(moment: Moment, rng: random.Random) -> Point:
    return Point(moment, ANY, rng.randint(1, EARLY_PASSES.get(moment, 3)))


def _stops(points: Sequence[str]) -> list[Cut]:
    return [Cut(Point.read(point), how) for point in points for how in (How.LATE, How.EARLY)]
