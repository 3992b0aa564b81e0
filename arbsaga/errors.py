"""Every error arbsaga raises, in one tree.

ArbsagaError
├── UserError            a mistake or a missing thing that a person can mend: shown as one line, exit code 2
│   ├── ConfigError      the configuration: unknown or missing key, value out of range
│   ├── SecretError      a private key or API credential that cannot be used (never contains the secret)
│   ├── UnknownThing     a market, trade or file that does not exist
│   └── Unavailable      a server, port, disk or database that cannot be used now
├── VenueError           a venue answered something other than what was asked for
│   ├── MarketClosed     the market does not take orders
│   └── BadMessage       a malformed, unknown or oversized message
├── LedgerError          the ledger cannot be read or written
├── ExchangeError        the simulated exchange says no
│   ├── Rejected         an order is not accepted (HTTP status, the venue's text, sometimes a code)
│   ├── NotCanceled      an order cannot be canceled (the venue's reason)
│   └── UnknownToken     no market of the exchange has this token id
└── Interrupted          the saga's one form of cancellation (abort or shutdown), in every runtime
"""


class ArbsagaError(Exception):
    """Root of every error of this project."""


class UserError(ArbsagaError):
    """One clear line for a person: what is wrong and how to mend it."""


class ConfigError(UserError):
    """The configuration has an unknown or missing key, or a value out of range."""


class SecretError(UserError):
    """A private key or API credential cannot be used. The message never contains it."""


class UnknownThing(UserError):
    """A market, trade or file that was named does not exist."""


class Unavailable(UserError):
    """A server, port, disk or database that is needed cannot be used now."""


class VenueError(ArbsagaError):
    """A venue answered something other than what was asked for."""


class MarketClosed(VenueError):
    """The market does not take orders."""


class BadMessage(VenueError):
    """A malformed, unknown or oversized message from a venue."""


class LedgerError(ArbsagaError):
    """The ledger cannot be read or written."""


class Opposed(LedgerError):
    """An entry would close what the account holds, or another trade is about to: it was not written down."""


class ExchangeError(ArbsagaError):
    """The simulated exchange says no."""


class Rejected(ExchangeError):
    """An order is not accepted: HTTP `status`, the venue's `text`, and its `code` where it sends one."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.code = status, text, code


class NotCanceled(ExchangeError):
    """An order cannot be canceled: `reason` is the venue's text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownToken(ExchangeError):
    """No market of the simulated exchange has this token id."""


class Interrupted(ArbsagaError):
    """An abort or shutdown reached an effect that may be interrupted."""
