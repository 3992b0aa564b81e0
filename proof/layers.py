"""The layers by name, each run in a process of its own: what one leaves behind (logs, loops) meets no other."""

import importlib
import multiprocessing
import traceback
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from proof.result import Effort, Result

LAYERS = {
    "judgements": "proof.judgements",
    "simulation": "proof.simulation",
    "crashes": "proof.crashes",
    "soak": "proof.soak",
    "mutations": "proof.mutations",
    "load": "proof.load",
    "matching": "proof.matching",
}
"""In the order in which they run: the cheapest to explain first."""


def prove(name: str, effort: Effort) -> Result:
    """A layer's answer. One that breaks, or whose process dies, has proved nothing: that counts as a violation."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        try:
            return alone.submit(prove_here, LAYERS[name], effort).result()
        except BrokenProcessPool as error:
            return _broken(name, str(error))
        except Exception:  # noqa: BLE001 - whatever broke the layer is its result, and is shown whole
            return _broken(name, traceback.format_exc())


def prove_here(module: str, effort: Effort) -> Result:
    """The same in this process."""
    result: Result = importlib.import_module(module).prove(effort)
    return result


def _broken(name: str, why: str) -> Result:
    return Result(name, 0, "cases", violations=(f"the layer itself broke:\n{why}",))
