"""Books in, opportunities out: live order books, the baskets built on them, and the scanner."""

from arbsaga.detect.books import LiveBooks, Stream
from arbsaga.detect.certainty import FillRates, less_certain_first
from arbsaga.detect.pairs import WatchedPair
from arbsaga.detect.scanner import Opportunity, Scanner
from arbsaga.detect.settings import AdmissionSettings, BasketSettings, BookSettings, ScanSettings, StreamSettings

__all__ = [
    "AdmissionSettings",
    "BasketSettings",
    "BookSettings",
    "FillRates",
    "LiveBooks",
    "Opportunity",
    "ScanSettings",
    "Scanner",
    "Stream",
    "StreamSettings",
    "WatchedPair",
    "less_certain_first",
]
