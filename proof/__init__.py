"""The evidence for the promise: seven layers that attack the trade, judged by the exchange's own record.

`make prove` runs them all (docs/reliability.md). Each layer is a module with `prove(effort) -> Result`.
"""
