"""The truth journal: one JSON object per line, written before the exchange answers."""


class Journal:
    """Appends batches of records to the truth journal."""
