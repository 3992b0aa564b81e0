"""The configuration: `arbsaga.toml`, overlaid by the environment, checked before anything starts.

A key of section `gates` is `ARBSAGA_GATES__MIN_EDGE` in the environment. Secrets come from the
environment or from a file of their own, never from `arbsaga.toml`. Every mistake is one line that
names the key, where it stands, and how to mend it.
"""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from pydantic_settings import TomlConfigSettingsSource as TomlSource

from arbsaga.detect.settings import AdmissionSettings, BasketSettings, ScanSettings
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.pricing import Gates
from arbsaga.errors import ConfigError, SecretError, UnknownThing
from arbsaga.saga.messages import Patience, UndoLimits

PREFIX = "ARBSAGA_"
DEFAULT_FILE = Path("arbsaga.toml")
NOT_SETTINGS = frozenset({"ARBSAGA_CONFIG", "ARBSAGA_SHARED_DATA"})
"""Variables of our prefix that are no settings: where the file is, and where tests find recorded data."""
SECRET_KEYS = {
    ("venue", "private_key"): "ARBSAGA_VENUE__PRIVATE_KEY, or name a file in venue.private_key_file",
    ("kalshi", "private_key"): "ARBSAGA_KALSHI__PRIVATE_KEY, or name a file in kalshi.private_key_file",
    ("temporal", "api_key"): "ARBSAGA_TEMPORAL__API_KEY, or name a file in temporal.api_key_file",
}

VENUES = ("polymarket", "kalshi")
"""Every venue that can be traded on, by the name that `venues` has it by."""

Ms = Annotated[int, Field(ge=0, le=86_400_000)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Shares = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class Section(BaseModel):
    """One table of `arbsaga.toml`. Unknown keys are refused: a misspelt limit must never be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class VenueSection(Section):
    """Polymarket: whose account, and where its services are."""

    private_key: SecretStr | None = Field(None, description="only by environment ARBSAGA_VENUE__PRIVATE_KEY")
    private_key_file: Path | None = Field(None, description="file (mode 0600) that holds the signing key")
    wallet: str | None = Field(
        None, description="funder address, where it is not the key's own", pattern="^0x[0-9a-fA-F]{40}$"
    )
    signature_type: Literal[0, 3] = Field(0, description="0: the key's own address; 3: a deposit wallet")
    clob_url: str | None = Field(
        None, description="REST of the order book; by default the venue's own, or the paper exchange"
    )
    gamma_url: str | None = Field(None, description="market discovery")
    data_url: str | None = Field(None, description="positions")
    relayer_url: str | None = Field(None, description="gasless transactions of wallets")
    rpc_url: str | None = Field(None, description="Polygon JSON-RPC")
    market_ws_url: str | None = Field(None, description="stream of books")
    user_ws_url: str | None = Field(None, description="stream of own orders and trades")
    dead_man: bool = Field(True, description="the venue cancels every open order 10 s after the watchdog dies")


class KalshiSection(Section):
    """Kalshi: whose account, and where its services are."""

    key_id: str | None = Field(None, description="id of the API key, as kalshi.com shows it", min_length=1)
    private_key: SecretStr | None = Field(None, description="only by environment ARBSAGA_KALSHI__PRIVATE_KEY")
    private_key_file: Path | None = Field(None, description="PEM file (mode 0600) of the API key: RSA or Ed25519")
    rest_url: str | None = Field(
        None, description="REST; by default the venue's own, or the paper exchange", pattern="^https?://"
    )
    ws_url: str | None = Field(None, description="streams of books, orders and fills", pattern="^wss?://")
    precision: Literal["0.01", "0.0001"] = Field(
        "0.01", description="USD that balances are kept in: 0.0001 for a direct member"
    )
    max_book_age_ms: Ms = Field(2_000, description="a book of Kalshi proved longer ago than this is stale")


class PairsSection(Section):
    """Identical questions of two venues. Nothing is traded that a person has not approved."""

    file: Path = Field(Path("pairs.toml"), description="the approved pairs; a relative name is in the data folder")
    cap: Dollars = Field(Decimal(25), description="USD that trades of one pair may hold, where it names no cap")
    check_ms: Annotated[int, Field(ge=500, le=3_600_000)] = Field(
        5_000, description="how often texts, close times and status of the pairs are compared with the venues"
    )


class EntrySection(Section):
    """How the legs of a trade over two venues are entered."""

    order: Literal["parallel", "less-certain-first"] = Field(
        "parallel", description="or less-certain-first: the leg that fills less often goes first, the other follows it"
    )


class PaperSection(Section):
    """The simulated exchanges that paper trading runs on."""

    deposit: Dollars = Field(Decimal(1000), description="USD the paper account starts with (Kalshi: on each shard)")


class LiveSection(Section):
    """Real money. Needs `mode = "live"` here and `--live` on the command line."""

    cap: Dollars = Field(
        Decimal(10), description="USD that may be in the market in all; a person lifts it by raising this"
    )


class TemporalSection(Section):
    """Where workflows run. Without an address: the server that `arbsaga up` starts."""

    address: str | None = Field(None, description="host:port of a Temporal server", pattern=r"^[^\s:/]+:\d{1,5}$")
    namespace: str = Field("default", description="Temporal namespace", min_length=1)
    task_queue: str = Field("arbsaga", description="task queue of the trading workers", min_length=1)
    tls: bool = Field(False, description="connect by TLS (Temporal Cloud: true)")
    api_key: SecretStr | None = Field(None, description="only by environment ARBSAGA_TEMPORAL__API_KEY")
    api_key_file: Path | None = Field(None, description="file that holds the API key (Temporal Cloud)")
    synchronous: Literal["full", "normal"] = Field("full", description="embedded server: full survives power loss")


class LedgerSection(Section):
    """The books of account."""

    url: str | None = Field(None, description="SQLAlchemy URL; by default ledger.sqlite in the data folder")


class DeskSection(Section):
    """How much capital trades may hold, over all of them and each."""

    total: Dollars = Field(Decimal(100), description="USD reserved and invested in all")
    per_trade: Dollars = Field(Decimal(15), description="USD that one trade may cost, fees included")


class GatesSection(Section):
    """What a basket must pass to be traded."""

    max_price_ratio: Decimal = Field(
        Decimal("0.98"), gt=0, le=2, description="price over payout, before fees, must be under this"
    )
    min_edge: Decimal = Field(Decimal("0.005"), ge=-1, lt=1, description="USD of profit per $1 of payout, after fees")
    min_depth: Shares = Field(Decimal(10), description="shares that every leg must offer at its limit")


class PatienceSection(Section):
    """How long a trade waits for what, in ms."""

    entry_ms: Ms = Field(5_000, description="an entry order's life before the rest of it is cancelled")
    poll_ms: Ms = Field(100, description="how often fills are polled for where the stream is silent")
    undo_ms: Ms = Field(2_000, description="life of one reducing order")
    send_by_ms: Ms = Field(1_000, le=10_000, description="no byte is sent later than this after a decision")
    prove_ms: Ms = Field(20_000, description="quiet time before an unanswered order counts as never sent")
    http_ms: Ms = Field(2_000, le=5_000, description="limit around one request")
    settle_ms: Ms = Field(600_000, description="settling longer than this holds the trade")
    one_sided_ms: Ms = Field(3_000, description="one leg filled and another unknown this long pages a person")
    retry_min_ms: Ms = Field(50, description="shortest pause between tries")
    retry_max_ms: Ms = Field(500, description="longest pause between tries")


class UndoSection(Section):
    """What undoing a half-filled trade may cost."""

    loss_budget: Dollars = Field(Decimal(5), description="USD that completing or exiting may lose")
    rounds: int = Field(12, ge=1, le=100, description="reducing orders a trade may send, for each leg")
    residue: Shares = Field(Decimal(5), description="shares per leg that may be left when too few for any order")
    residue_usd: Dollars = Field(Decimal(5), description="USD such residue may have cost, over all legs of a trade")


class ScanSection(Section):
    """How opportunities are looked for."""

    complement: bool = Field(
        False, description="also YES + NO of one market; pointless where the books mirror each other"
    )
    max_starts: int = Field(3, ge=1, le=100, description="trades started at most per pass")
    pass_ms: Annotated[int, Field(ge=1)] = Field(3_000, description="length of a pass in ms")
    cooldown_ms: Ms = Field(10_000, description="a basket rests this long after a trade that failed")
    max_book_age_ms: Ms = Field(2_000, description="a book proved longer ago than this is stale")
    max_book_skew_ms: Ms = Field(500, description="books proved further apart than this are torn")
    max_cross_skew_ms: Ms = Field(2_000, description="the same for the books of two venues, which have a stream each")
    discovery_ms: Annotated[int, Field(ge=100)] = Field(2_000, description="how often new markets are looked for")


class NotifySection(Section):
    """Who is told when a trade is held or one-sided."""

    urls: tuple[SecretStr, ...] = Field((), description="apprise URLs, e.g. mailto://, tgram://, slack://")


class Config(BaseSettings):
    """Everything that can be set, checked."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    mode: Literal["paper", "live"] = Field("paper", description="paper: simulated exchange; live: real money")
    venues: Annotated[tuple[str, ...], NoDecode] = Field(
        ("polymarket",), description="where to trade: polymarket, kalshi, or both", validate_default=False
    )
    account: str = Field("main", description="name of the account in desk and ledger", pattern="^[A-Za-z0-9_-]{1,40}$")
    data_dir: Path = Field(Path(".arbsaga"), description="folder of ledger, server state, logs, paper key")
    venue: VenueSection = VenueSection()
    kalshi: KalshiSection = KalshiSection()
    pairs: PairsSection = PairsSection()
    entry: EntrySection = EntrySection()
    paper: PaperSection = PaperSection()
    live: LiveSection = LiveSection()
    temporal: TemporalSection = TemporalSection()
    ledger: LedgerSection = LedgerSection()
    desk: DeskSection = DeskSection()
    gates: GatesSection = GatesSection()
    patience: PatienceSection = PatienceSection()
    undo: UndoSection = UndoSection()
    scan: ScanSection = ScanSection()
    notify: NotifySection = NotifySection()

    @field_validator("venues", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        """A list as the environment writes it: `polymarket,kalshi`, or as JSON."""
        return split_venues(given) if isinstance(given, str) else given

    @field_validator("venues")
    @classmethod
    def _known(cls, venues: tuple[str, ...]) -> tuple[str, ...]:
        return known_venues(venues)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What was given in the call, over the environment, over the file named in `toml_file`."""
        return init_settings, env_settings, TomlSource(settings_cls)

    @property
    def total(self) -> Usd:
        """USD that trades may hold in all: the desk's total, in live mode capped."""
        return Usd(min(self.desk.total, self.live.cap) if self.mode == "live" else self.desk.total)

    @property
    def per_trade(self) -> Usd:
        """USD that one trade may cost, fees included."""
        return Usd(min(self.desk.per_trade, self.total))

    def trading_gates(self) -> Gates:
        """The gates as the pricing function takes them."""
        gates = self.gates
        return Gates(gates.max_price_ratio, gates.min_edge, Size(gates.min_depth), self.per_trade)

    def scan_settings(self) -> ScanSettings:
        """What the scanner is told, the gates included."""
        scan = self.scan
        return ScanSettings(
            gates=self.trading_gates(),
            max_book_age_ms=scan.max_book_age_ms,
            max_book_skew_ms=scan.max_book_skew_ms,
            max_age_ms_by_venue=self.book_ages(),
            max_cross_skew_ms=scan.max_cross_skew_ms,
            discovery_ms=scan.discovery_ms,
            baskets=BasketSettings(complement=scan.complement),
            admission=AdmissionSettings(scan.max_starts, scan.pass_ms, scan.cooldown_ms),
        )

    def book_ages(self) -> dict[str, int]:
        """How old (ms) a book may be, by venue, where that differs from `scan.max_book_age_ms`.

        Also where `venues` does not name it: a data folder that was started before has its own.
        """
        return {"kalshi": self.kalshi.max_book_age_ms}

    def trade_patience(self) -> Patience:
        """The waiting times as a trade's plan carries them."""
        return Patience(**{name.removesuffix("_ms"): value for name, value in self.patience.model_dump().items()})

    def undo_limits(self) -> UndoLimits:
        """The limits of undoing as a trade's plan carries them."""
        undo = self.undo
        return UndoLimits(Usd(undo.loss_budget), undo.rounds, Size(undo.residue), Usd(undo.residue_usd))

    def kalshi_key(self) -> tuple[str, str]:
        """Kalshi's key id, and its private key as PEM. Raises SecretError where one of them is missing."""
        section = self.kalshi
        pem = _secret(section.private_key, section.private_key_file, "kalshi.private_key_file")
        if section.key_id is None:
            raise SecretError("kalshi.key_id is missing: set it to the id that kalshi.com shows for the API key")
        if pem is None:
            raise SecretError(
                "kalshi.private_key is missing: set ARBSAGA_KALSHI__PRIVATE_KEY or kalshi.private_key_file"
            )
        return section.key_id, pem

    def private_key(self) -> str:
        """The signing key from the environment or its file. Raises SecretError where neither is set."""
        key = _secret(self.venue.private_key, self.venue.private_key_file, "venue.private_key_file")
        if key is None:
            raise SecretError("venue.private_key is missing: set ARBSAGA_VENUE__PRIVATE_KEY or venue.private_key_file")
        return key

    def temporal_api_key(self) -> str | None:
        """The API key of the Temporal server, if one is set. Raises SecretError."""
        return _secret(self.temporal.api_key, self.temporal.api_key_file, "temporal.api_key_file")


def split_venues(text: str) -> tuple[str, ...]:
    """The names in `polymarket,kalshi`, or in the same as JSON."""
    return tuple(re.findall(r"[^\s,\"\[\]]+", text))


def known_venues(venues: tuple[str, ...]) -> tuple[str, ...]:
    """These names, each known and named once. Raises ValueError, one line."""
    if not venues:
        raise ValueError(f"name at least one venue of {', '.join(VENUES)}")
    for name in venues:
        if name not in VENUES:
            close = difflib.get_close_matches(name.lower(), VENUES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(VENUES)}"
            raise ValueError(f"there is no venue {name!r}; {hint}")
        if venues.count(name) > 1:
            raise ValueError(f"{name} is named twice: name each venue once")
    return venues


def load(file: Path | None = None, **given: Any) -> Config:  # noqa: ANN401 (any field of Config)
    """Read and check the configuration; `given` overrides the environment, which overrides the file.

    `file` must exist when it is named here or in ARBSAGA_CONFIG; `arbsaga.toml` is read where it
    is. Raises ConfigError, one line for each mistake, or UnknownThing.
    """
    path = _find(file)
    written = _parse(path) if path else {}
    _refuse_secrets(written, path)
    _refuse_unknown_variables()
    try:
        return _From(path)(**given)
    except ValidationError as error:
        lines = [_explain(detail, path) for detail in error.errors(include_input=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None
    except SettingsError as error:
        raise ConfigError(f"environment: {error}; write a section's key as ARBSAGA_SECTION__KEY") from None


def _From(path: Path | None) -> type[Config]:  # noqa: N802 (makes a class)
    """`Config` that reads this file: pydantic-settings takes the file's name from the class."""

    class FromFile(Config):
        model_config = SettingsConfigDict(toml_file=path)

    return FromFile


def _find(file: Path | None) -> Path | None:
    named = file or (Path(os.environ["ARBSAGA_CONFIG"]) if os.environ.get("ARBSAGA_CONFIG") else None)
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    if not named.is_file():
        raise UnknownThing(f"no configuration file {named}: write one with `arbsaga config init`")
    return named


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _refuse_secrets(written: Mapping[str, Any], path: Path | None) -> None:
    for (section, key), instead in SECRET_KEYS.items():
        if key in written.get(section, {}):
            raise ConfigError(f"{path}: {section}.{key} is a secret and must not stand in this file: set {instead}")


def _refuse_unknown_variables() -> None:
    """A misspelt variable is refused like a misspelt key: pydantic-settings would ignore it."""
    for variable in sorted(os.environ):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        top = variable.removeprefix(PREFIX).split("__")[0].lower()
        if top not in Config.model_fields:
            raise ConfigError(f"environment variable {variable}: no such setting{_nearest(top, Config.model_fields)}")


def _explain(detail: ErrorDetails, path: Path | None) -> str:
    loc = [str(part) for part in detail["loc"]]
    key = ".".join(loc)
    variable = PREFIX + "__".join(part.upper() for part in loc)
    where = f"environment variable {variable}" if variable in os.environ else f"{path or 'command line'}: {key}"
    if detail["type"] == "extra_forbidden":
        return f"{where}: no such key{_nearest(loc[-1], _siblings(loc))}"
    message = re.sub(r"^Value error, ", "", detail["msg"])
    return f"{where}: {message[0].lower()}{message[1:]}"


def _siblings(loc: list[str]) -> Mapping[str, object]:
    if len(loc) == 1:
        return Config.model_fields
    field = Config.model_fields.get(loc[0])
    section = field.annotation if field else None
    return section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else {}


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _secret(given: SecretStr | None, file: Path | None, key: str) -> str | None:
    if given is not None:
        return given.get_secret_value().strip()
    return read_secret(file.expanduser(), key) if file else None


def read_secret(file: Path, key: str) -> str:
    """The secret in a file that only its owner may read. Raises SecretError, which never contains it."""
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise SecretError(f"{key}: {file} cannot be read: {reason}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(f"{key}: others may read {file}: run `chmod 600 {file}`")
    if not text:
        raise SecretError(f"{key}: {file} is empty")
    return text


def template() -> str:
    """A whole `arbsaga.toml`, every key commented out at its default, with what it means."""
    return "\n".join(_template_lines()) + "\n"


def _template_lines() -> Iterator[str]:
    yield "# arbsaga's configuration. Every key is optional; what is commented out shows the default."
    yield "# Secrets never stand here. Only the venues that are traded on need theirs:"
    for instead in SECRET_KEYS.values():
        yield f"#   {instead}"
    yield ""
    sections = []
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            sections.append((name, field.annotation))
        else:
            yield _template_key(name, field.default, field.description)
    for name, section in sections:
        yield ""
        yield f"# {(section.__doc__ or '').strip()}"
        yield f"[{name}]"
        for key, field in section.model_fields.items():
            if (name, key) not in SECRET_KEYS:
                yield _template_key(key, field.default, field.description)


def _template_key(key: str, default: object, description: str | None) -> str:
    return f"# {key} = {_toml(default)}".ljust(34) + f"  # {description}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value if value is not None else ""}"'
