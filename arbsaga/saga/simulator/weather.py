"""What can go wrong in a simulated trade, and how likely: drawn once for each seed."""

import random
from dataclasses import dataclass, fields
from typing import Any

MOST = {
    "thin": 0.5,
    "part": 0.5,
    "slow": 0.8,
    "improve": 0.8,
    "refuse": 0.4,
    "busy": 0.5,
    "restart": 0.6,
    "dead": 0.1,
    "drop": 0.5,
    "repeated": 0.5,
    "lost": 0.4,
    "late": 0.4,
    "zombie": 0.5,
    "delayed": 0.4,
    "ghost": 0.5,
    "retry": 0.5,
    "phantom": 0.4,
    "tick": 0.6,
    "race": 0.6,
    "mute": 0.5,
    "error": 0.5,
    "stale": 0.5,
    "echo": 0.5,
    "hidden": 0.5,
    "frozen": 0.6,
    "tardy": 0.3,
    "balance": 0.5,
    "no_depth": 0.3,
    "dry": 0.5,
    "abort": 0.5,
    "halt": 0.4,
    "crash": 0.3,
    "reset": 0.5,
    "paused": 0.1,
}
"""Every kind of bad weather, and the highest chance it is drawn with."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances in 0..1 for each order, call, answer or fill; for `restart`, `dead`, `paused`, `tick`, `frozen`, `abort`,
    `halt` and `reset` once for each trade. Times in ms.

    What an order meets. `thin`: no liquidity; `part`: a part of its size; `slow`: the rest rests and fills later;
    `improve`: fills at better prices than its limit. `delayed`: held back by the venue first.

    What a post meets. `refuse`: a proved refusal. `busy`: 425, 429, 500 or 503, the 500 with the order taken or not.
    `restart`: the engine goes down (425 to all) for a while, and is post-only for two minutes after. `dead`: one of the
    trade's venues answers nothing for minutes, whatever it is asked. `paused`: one refuses every order for minutes, but
    shows its books and takes cancels. `drop`: taken, the answer lost. `repeated`: the network brings the bytes twice,
    and the answer is "Duplicated". `lost`: never delivered, the answer lost. `late`: delivered up to `late_ms` after it
    was sent, the answer lost. `zombie`: the
    worker is paused before it sends, and goes on when it wakes up, declared dead or not.

    What settlement meets. `ghost`: a match that FAILS later; `retry`: one that is resubmitted first; `settle_ms`: how
    long it takes at most. `phantom`: the venue's matched count runs ahead of the fills, for a while or for ever.

    What cancels and reads meet. `race`: a fill just before the cancel. `mute`: a cancel that is carried out, its
    answer lost. `error`: a read or cancel that fails. `stale`: a read answers as of up to 5 s ago. `echo`: older
    evidence comes again after newer. `hidden`: an order cannot be found by id, newly made or over. `frozen`: for some
    seconds streams are silent and reads see nothing new. `tardy`: an answer comes up to 3 s after it was true.

    What undoing meets. `tick`: a market's tick changes. `balance`: the sellable balance says too little or too much.
    `dry`: no book; `move`: how far prices move (USD).

    The trade itself. `no_depth`: the pre-flight refuses. `abort`: a person aborts; `halt`: trading is halted.
    `crash`: the worker dies around an effect. `reset`: the workflow is reset to an earlier point of its history.
    """

    thin: float = 0.0
    part: float = 0.0
    slow: float = 0.0
    improve: float = 0.0
    refuse: float = 0.0
    busy: float = 0.0
    restart: float = 0.0
    dead: float = 0.0
    drop: float = 0.0
    repeated: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    late_ms: int = 8_000
    zombie: float = 0.0
    delayed: float = 0.0
    ghost: float = 0.0
    retry: float = 0.0
    phantom: float = 0.0
    tick: float = 0.0
    race: float = 0.0
    mute: float = 0.0
    error: float = 0.0
    stale: float = 0.0
    echo: float = 0.0
    hidden: float = 0.0
    frozen: float = 0.0
    tardy: float = 0.0
    balance: float = 0.0
    no_depth: float = 0.0
    dry: float = 0.0
    abort: float = 0.0
    halt: float = 0.0
    crash: float = 0.0
    reset: float = 0.0
    paused: float = 0.0
    move: float = 0.02
    settle_ms: int = 2_000
    latency_ms: int = 20

    @staticmethod
    def draw(rng: random.Random) -> "Weather":
        """A seeded mixture: most kinds are away in most seeds, so that each also shows alone."""
        chances = {kind: rng.uniform(0, most) for kind, most in MOST.items() if rng.random() < 0.15}
        return Weather(
            **chances,
            late_ms=rng.randrange(1, LATEST_MS),
            move=rng.choice((0.0, 0.02, 0.1, 0.3)),
            settle_ms=rng.choice((200, 2_000, 50_000)),
            latency_ms=rng.choice((1, 20, 200)),
        )

    def in_words(self) -> str:
        """`drop=0.25,late=0.1`: what differs from fair weather, as `read` takes it. Empty when nothing does."""
        given = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        return ",".join(f"{name}={value}" for name, value, default in given if value != default)

    @staticmethod
    def read(words: str) -> "Weather":
        """The weather that `in_words` wrote. Raises ValueError for a kind that does not exist."""
        kinds = {field.name for field in fields(Weather)}
        pairs = [word.partition("=") for word in words.split(",") if word]
        if unknown := [name for name, _, _ in pairs if name not in kinds]:
            raise ValueError(f"no such weather: {', '.join(unknown)}; there is {', '.join(sorted(kinds))}")
        given: dict[str, Any] = {name: int(value) if name.endswith("_ms") else float(value) for name, _, value in pairs}
        return Weather(**given)


LATEST_MS = 22_001
"""A post may arrive so long after it was sent: any later, and a "not found" after the quiet time proves nothing.

It is the HTTP limit (2 s) and the quiet time (20 s) of `Patience`: nothing is concluded sooner after `send_by`.
"""


class Luck:
    """The dice of one run. It counts how often each kind of weather struck."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.weather = weather
        self.struck: dict[str, int] = {}
        rng = random.Random(seed)
        self.random, self.choice, self.uniform = rng.random, rng.choice, rng.uniform
        self._chances = {kind: getattr(weather, kind) for kind in MOST}

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def strikes(self, kind: str) -> bool:
        """Whether this kind strikes now. A die is cast even when it cannot, so that other kinds stay as they are."""
        if self.random() >= self._chances[kind]:
            return False
        self.struck[kind] = self.struck.get(kind, 0) + 1
        return True
