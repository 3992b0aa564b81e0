"""A book sink that notes what it is told, and keeps plain books from it."""


class Recorder:
    def __init__(self):
        self.books, self.changes, self.bests = {}, [], []
        self.commits, self.gaps, self.closed_markets = [], [], []

    def snapshot(self, token, bids, asks, time_ms):
        self.books[token] = (dict(bids), dict(asks), time_ms)

    def change(self, token, side, price, size, time_ms):
        self.changes.append((token, side, price, size, time_ms))
        if token in self.books:
            levels = self.books[token][0 if side == "BUY" else 1]
            levels[price] = size
            if not size:
                del levels[price]

    def best(self, token, bid, ask):
        self.bests.append((token, bid, ask))

    def commit(self, received_ns, tokens):
        self.commits.append((received_ns, tokens))

    def gap(self, tokens, reason):
        self.gaps.append((tuple(tokens), reason))
        for token in tokens:
            self.books.pop(token, None)

    def closed(self, market):
        self.closed_markets.append(market)
