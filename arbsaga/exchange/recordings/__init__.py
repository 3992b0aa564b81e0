"""The recording that is shipped: synthetic, a minute of three markets, with every trap of the format in it."""

from pathlib import Path
from typing import Final

SYNTHETIC: Final = Path(__file__).parent / "synthetic.parquet"
"""Made by `python -m arbsaga.exchange.recordings.make`."""
