"""The only place that picks real adapters: builds a running wallet from a folder and a Config."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import msgspec

from lingqian.channels.faceid.client import FaceId, RealNameRow
from lingqian.channels.port import Channel, Product
from lingqian.channels.route import Candidate
from lingqian.channels.verifier import Verifier
from lingqian.channels.watch import Board as Health
from lingqian.channels.wechatpay.channel import WechatPay
from lingqian.channels.wechatpay.setting import ChannelRow
from lingqian.cluster.company import Alone, Company
from lingqian.cluster.courier import Courier
from lingqian.cluster.credential import Credential
from lingqian.cluster.keeper import Timing
from lingqian.cluster.line import Key, Trust
from lingqian.cluster.node import Node, Setting
from lingqian.cluster.register import Register
from lingqian.cluster.role import OURS
from lingqian.cluster.traffic import check_traffic
from lingqian.compliance.factor import CAPS, FactorCap, agreed, factor_caps
from lingqian.compliance.limit import DEFAULT, Limit, Span, caps
from lingqian.events.carrier import Means
from lingqian.events.kafka.setting import KafkaRow
from lingqian.flows.view import Policy
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.bound import (
    BATCH_COMMANDS_MAX,
    BEAT_S_DEFAULT,
    BODY_BYTES_MAX,
    LATE_GRACE_S_DEFAULT,
    LEASE_S_DEFAULT,
    LIFETIME_S_DEFAULT,
    LIFETIME_S_MAX,
    ORDER_COINS_MAX,
    ORDER_FEN_MAX,
    ORDER_LIFE_S_DEFAULT,
    ORDER_LIFE_S_MAX,
    ORDER_LIFE_S_MIN,
    PAGE_CACHE_MIB_DEFAULT,
    PAGE_CACHE_MIB_MIN,
    PLAN_LENGTH_MAX,
    QUEUE_COMMANDS_MAX,
)
from lingqian.kernel.clock import SECOND_US, from_rfc3339
from lingqian.kernel.fault import Damaged
from lingqian.risk.rule import Action, Rule, Verdict
from lingqian.storage.aside import Aside
from lingqian.storage.beacon import Beacon
from lingqian.storage.board import Board
from lingqian.storage.cashier import Cashier
from lingqian.storage.clock import BusinessClock, unix_ms
from lingqian.storage.collector import calm_collector
from lingqian.storage.desk import Desk, reveal_with
from lingqian.storage.directory import STATUS_LIFE_S, Directory
from lingqian.storage.file import SqliteFile
from lingqian.storage.finding import FindingKind
from lingqian.storage.ground import Ledger
from lingqian.storage.head import HeadLog, check_tail, cut_torn
from lingqian.storage.intake import Batched, Intake
from lingqian.storage.kept_bill import ReadBill
from lingqian.storage.lane import Answer, Shell, Submission, Writer
from lingqian.storage.lock import DirectoryLock
from lingqian.storage.mysql.address import Address, parse
from lingqian.storage.port import Connection, LaneRow, SharedStore, Store
from lingqian.storage.position import Parker
from lingqian.storage.publisher import Publisher
from lingqian.storage.reach import Reach
from lingqian.storage.vault import (
    fingerprint,
    forget_first_root,
    has_root,
    open_vault,
)
from lingqian.storage.volume import check_volume
from lingqian.topup.coin import Basis
from lingqian.topup.fee import FeePlan
from lingqian.topup.plan import DEFAULT as DEFAULT_PLANS
from lingqian.topup.plan import Plan

if TYPE_CHECKING:
    from lingqian.events.kafka.office import Office

DATABASE: Final = "ledger.db"
HEADS: Final = "heads.log"
KEYS: Final = "keys"
SETTINGS: Final = "lingqian.toml"
CLOCK_SETTING: Final = "clock_offset_us"
KEYS_SETTING: Final = "keys"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
SELECT_SETTING: Final = "SELECT value FROM settings WHERE name = ?"
PUT_SETTING: Final = (
    "INSERT INTO settings (name, value) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)

Count = Annotated[int, msgspec.Meta(ge=1)]
_ORIGIN: Final = "https?://[a-z0-9.-]+(:[0-9]{1,5})?"
Origin = Annotated[str, msgspec.Meta(pattern=f"^{_ORIGIN}$")]
OriginOrNone = Annotated[str, msgspec.Meta(pattern=f"^({_ORIGIN})?$")]


class LimitRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A limit an operator adds; the stricter of all rows binds. Units: fen, or a count."""

    account_class: Annotated[int, msgspec.Meta(ge=1, le=3)]
    span: str
    cap: Annotated[int, msgspec.Meta(ge=0)]
    source: str


class RuleRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A rule an operator adds: for an action from this amount on, this verdict."""

    name: str
    action: str
    verdict: str
    amount_fen_min: Annotated[int, msgspec.Meta(ge=0)] = 0
    delay_s: Annotated[int, msgspec.Meta(ge=0)] = 0


class BeaconRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A public drand beacon: rounds come every `period_s` since `genesis_s`, at any of `urls`."""

    urls: tuple[str, ...]
    chain_hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    genesis_s: Annotated[int, msgspec.Meta(ge=1)]
    period_s: Annotated[int, msgspec.Meta(ge=1, le=3_600)]


class PlanRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A line of the price list; without coins its amount goes into the balance.

    Units: fen; coins; seconds.
    """

    plan_id: Annotated[str, msgspec.Meta(min_length=1, max_length=PLAN_LENGTH_MAX)]
    name_zh: str
    name_en: str
    amount_fen: Annotated[int, msgspec.Meta(ge=1, le=ORDER_FEN_MAX)]
    coins: Annotated[int, msgspec.Meta(ge=0, le=ORDER_COINS_MAX)] = 0
    bonus_coins: Annotated[int, msgspec.Meta(ge=0, le=ORDER_COINS_MAX)] = 0
    bonus_life_s: Annotated[int, msgspec.Meta(ge=0)] = 0
    scene: str = ""


class FeeRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The channel service fee and its subsidy while that lasts; the base fee is the account's.

    Units: parts per million of the amount; basis points of that fee; RFC 3339.
    """

    service_ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 2_000
    subsidy_bp: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 5_000
    subsidy_until: str = ""

    def __post_init__(self) -> None:
        """Refuse an end that is not an instant.

        Raises: ValueError, which msgspec turns into a message with the field's path.
        """
        if self.subsidy_until and from_rfc3339(self.subsidy_until) is None:
            raise ValueError("subsidy_until is an instant as RFC 3339 with its offset")


class SignatureRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """That a passkey counts as an electronic signature here, and what a day then holds (L6).

    Whether it does is a question of law, so it does not until somebody says on which ground.
    """

    day_fen: Annotated[int, msgspec.Meta(ge=1)]
    because: Annotated[str, msgspec.Meta(min_length=1)]


class PeersRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How processes that share one database find each other; port 0 takes a free one.

    `address` is where the others reach this one, when that is not where it listens. A process is
    taken for dead `lease_s` after it last said that it lives, every `beat_s`. Units: seconds.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    address: str = ""
    lease_s: Annotated[int, msgspec.Meta(ge=2, le=600)] = LEASE_S_DEFAULT
    beat_s: Annotated[int, msgspec.Meta(ge=1, le=300)] = BEAT_S_DEFAULT

    def __post_init__(self) -> None:
        """Refuse a life that one missed renewal would end.

        Raises: ValueError, which msgspec turns into a message with the field's path.
        """
        if 2 * self.beat_s >= self.lease_s:
            raise ValueError("lease_s is more than two times beat_s")


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Everything that can be set. No setting changes anybody's luck.

    `lanes` may grow and never shrinks: lanes that hold rows are always opened.
    """

    profile: str = "sandbox"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8080
    database: str = ""
    lanes: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    batch_commands_max: Annotated[int, msgspec.Meta(ge=1, le=BATCH_COMMANDS_MAX)] = (
        BATCH_COMMANDS_MAX
    )
    queue_commands_max: Annotated[int, msgspec.Meta(ge=1)] = QUEUE_COMMANDS_MAX
    page_cache_mib: Annotated[int, msgspec.Meta(ge=PAGE_CACHE_MIB_MIN)] = PAGE_CACHE_MIB_DEFAULT
    body_bytes_max: Annotated[int, msgspec.Meta(ge=1_024)] = BODY_BYTES_MAX
    packet_lifetime_s: Annotated[int, msgspec.Meta(ge=1, le=LIFETIME_S_MAX)] = LIFETIME_S_DEFAULT
    default_account_class: Annotated[int, msgspec.Meta(ge=0, le=3)] = 3
    webhook_private_hosts: bool = False
    limits: tuple[LimitRow, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    beacon: BeaconRow | None = None
    channels: tuple[ChannelRow, ...] = ()
    plans: tuple[PlanRow, ...] = ()
    fee: FeeRow = FeeRow()
    order_life_s: Annotated[int, msgspec.Meta(ge=ORDER_LIFE_S_MIN, le=ORDER_LIFE_S_MAX)] = (
        ORDER_LIFE_S_DEFAULT
    )
    late_grace_s: Annotated[int, msgspec.Meta(ge=0)] = LATE_GRACE_S_DEFAULT
    refund_basis: Literal["blended", "paid_only"] = "blended"
    payout_delay_s: Annotated[int, msgspec.Meta(ge=0)] = 0
    simulator_control_url: str = ""
    real_name: RealNameRow | None = None
    personal_cipher: Literal["aes-256-gcm", "sm4-gcm"] = "aes-256-gcm"
    tls_certificate: str = ""
    tls_key: str = ""
    kafka: KafkaRow | None = None
    credentials: str = ""
    unencrypted_traffic_because: str = ""
    frame_ancestors: tuple[Origin, ...] = ()
    unencrypted_volume_because: str = ""
    public_origin: OriginOrNone = ""
    client_address_header: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{0,64}$")] = ""
    signature: SignatureRow | None = None
    roles: tuple[Literal["edge", "lane", "relay", "jobs", "all"], ...] = ()
    peers: PeersRow = PeersRow()

    def __post_init__(self) -> None:
        """Refuse words that are not in the tables.

        Raises: ValueError, which msgspec turns into a message with the field's path.
        """
        if self.profile not in ("sandbox", "closed_loop", "licensed"):
            raise ValueError("profile is one of sandbox, closed_loop, licensed")
        names = [row.account for row in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("two channels have the same account name")
        plans = [row.plan_id for row in self.plans]
        if len(set(plans)) < len(plans):
            raise ValueError("two plans have the same plan_id")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key are set together or not at all")
        if self.database:
            parse(self.database)
        elif self.roles:
            raise ValueError("roles are for processes that share a database server: set `database`")
        policy(self)


def policy(config: Config) -> Policy:
    """Turn an operator's rows into the gate's policy; the built-in rows always stay.

    Raises: ValueError for a word that is not in the tables.
    """
    limits = [
        Limit(AccountClass(row.account_class), _word(Span, row.span), row.cap, row.source)
        for row in config.limits
    ]
    rules = [
        Rule(
            row.name,
            _word(Action, row.action),
            row.amount_fen_min,
            _word(Verdict, row.verdict),
            row.delay_s,
        )
        for row in config.rules
    ]
    return Policy(
        caps((*DEFAULT, *limits)),
        tuple(rules),
        config.late_grace_s * SECOND_US,
        factor_caps(config.profile, factor_rows(config)),
    )


def factor_rows(config: Config) -> tuple[FactorCap, ...]:
    """Return the rows of what a day may hold by proof: the law's, and what was agreed."""
    found = config.signature
    return CAPS if found is None else (*CAPS, agreed(found.day_fen, found.because))


def price_list(config: Config) -> dict[str, Plan]:
    """Return the plans on offer by id: the operator's, or the built-in ones."""
    rows = [Plan(*msgspec.structs.astuple(row)) for row in config.plans] or DEFAULT_PLANS
    return {row.plan_id: row for row in rows}


def fee_plans(config: Config) -> dict[str, FeePlan]:
    """Return what each channel account costs."""
    fee = config.fee
    until_us = from_rfc3339(fee.subsidy_until) if fee.subsidy_until else 0
    return {
        row.account: FeePlan(row.fee_ppm, fee.service_ppm, fee.subsidy_bp, until_us or 0)
        for row in config.channels
    }


def refund_basis(config: Config) -> Basis:
    """Return what coins are worth when they go back."""
    return Basis[config.refund_basis.upper()]


def candidates(config: Config) -> tuple[Candidate, ...]:
    """Return every way to be paid: each account with each product it has an app for."""
    return tuple(
        [
            Candidate(
                account=row.account,
                product=Product[name.upper()],
                hosts=row.hosts,
                amount_fen_min=row.amount_fen_min,
                amount_fen_max=row.amount_fen_max,
                fee_ppm=row.fee_ppm,
            )
            for row in config.channels
            for name in row.appids
        ]
    )


# The class behind each kind of channel row: what a channel can do without its keys.
_CHANNELS: Final = {ChannelRow: WechatPay}


def bill_reader(config: Config, account: str) -> ReadBill:
    """Return how an account's channel reads its own bills.

    An account that has left the settings was of the kind that rows without a kind are.
    """
    kinds = {row.account: type(row) for row in config.channels}
    return _CHANNELS[kinds.get(account, ChannelRow)].read_bill


def real_us() -> int:
    """Return real time: signatures are made by it, whatever the sandbox's clock says. Units: µs."""
    return unix_ms() * 1_000


def _word(table: Any, word: str) -> Any:  # noqa: ANN401 - one of three enums
    try:
        return table[word.upper()]
    except KeyError:
        known = ", ".join(each.name.lower() for each in table)
        raise ValueError(f"{word!r} is not one of {known}") from None


def _beacon(row: BeaconRow | None) -> Beacon | None:
    if row is None:
        return None
    return Beacon(row.urls, bytes.fromhex(row.chain_hash), row.genesis_s, row.period_s)


class Wallet:
    """A running wallet: the intake in front, readers beside, keys apart.

    `reader` and what is built on it belong to the thread (or event loop) that made the wallet.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        on_batch: Callable[[Batched], None] | None = None,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        calm_collector()
        self.folder = folder
        self.config = config
        check_volume(folder, config.profile, config.unencrypted_volume_because)
        self.credential = open_credential(folder, config)
        self.lock = DirectoryLock(folder)
        with ExitStack() as undo:
            undo.callback(self.lock.release)
            self._has_keys = has_root(folder / KEYS)
            self.vault = open_vault(folder / KEYS, config.personal_cipher)
            self.clock = BusinessClock()
            self.policy = policy(config)
            self.database = open_database(folder, config, self.credential)
            self.intake = Intake(
                self._open_writer,
                batch_max=config.batch_commands_max,
                queue_max=config.queue_commands_max,
                on_batch=on_batch,
                is_paced=bool(config.database),
            )
            self.intake.start()
            undo.callback(self.intake.stop)
            self.reader = self.database.reader()
            undo.callback(self.reader.close)
            # Apart, so that whoever asks about a payment does not wait for a large day's bill.
            self.beside, self.archive = Aside(self.database.reader), Aside(self.database.reader)
            undo.callback(self.beside.close)
            undo.callback(self.archive.close)
            self.directory = Directory(self.reader, STATUS_LIFE_S if config.roles else 0.0)
            self.board = Board(self.reader)
            self.beacon = _beacon(config.beacon)
            self.desk = Desk(self.vault, len(self.lanes), self.beacon)
            self.plans = price_list(config)
            self.cashier = Cashier(self.vault, fee_plans(config), refund_basis(config))
            self.candidates = candidates(config)
            self.health = Health(real_us)
            self.channels = self._open_channels()
            self.verifier = self._open_verifier()
            self.reveal = reveal_with(self.vault)
            self.company = self._company()
            self.publisher = Publisher(HeadLog(folder / HEADS), self.lane_rows, self.clock)
            self.publisher.start()
            undo.callback(self.publisher.stop)
            self.office = self._open_office()
            undo.pop_all()

    def _open_writer(self) -> Writer:
        """Open the store and every lane; runs in the writer's thread."""
        store = self.database.store()
        # A journal shorter than what was published is reported with what was lost, never served.
        cut_torn(self.folder / HEADS)
        findings = check_tail(store.connection, self.folder / HEADS)
        # A process killed in its first half second has published nothing yet; that is no loss.
        lost = [each.words for each in findings if each.kind != FindingKind.HEAD_ABSENT]
        if lost:
            store.close()
            raise Damaged("; ".join(lost))
        self._check_keys(store)
        rows = store.connection.execute("SELECT lane FROM lanes").fetchall()
        known: set[int] = {lane for (lane,) in rows}
        self.lanes = sorted(known | set(range(self.config.lanes)))
        value = store.connection.execute(SELECT_SETTING, (CLOCK_SETTING,)).fetchone()
        self.clock.offset_us = int(value[0]) if value and self.config.profile == "sandbox" else 0
        shell = Shell(self.clock, secrets.token_bytes, reveal_with(self.vault))
        # One of several begins with nothing, and owns what its leases say.
        own = [] if self.config.roles else self.lanes
        self._writer = Writer(store, own, self.policy, shell)
        return self._writer

    def _open_office(self) -> "Office | None":
        """Begin to carry between the ledger and a Kafka, where one is set.

        Raises: Damaged when its topics could lose messages; Unsent when it does not answer.
        """
        row = broker_row(self.folder, self.config)
        if row is None:
            return None
        try:
            from lingqian.events.kafka.office import Office, opener  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise Damaged(f"{error}; install lingqian[kafka]") from error
        means = Means(
            opener(row),
            self.database.reader,
            lambda: tuple(self._writer.lanes),
            self.intake,
            Parker(self.vault),
            self.clock.now_us,
            f"urn:lingqian:{fingerprint(self.vault.public_key)}",
        )
        is_sandbox = self.config.profile == "sandbox"
        office = Office(row, means, len(self.lanes), is_sandbox=is_sandbox)
        office.start()
        return office

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to its lane, straight or over the bus, and wait for the durable answer.

        Raises: Busy, Stopping, Unsent, Unknown, Fenced; Accepted when it is on its way.
        """
        if self.office is not None and self.office.takes(submission.command):
            return await self.office.ask(submission)
        return await self.company.ask(submission)

    def _company(self) -> Alone | Company:
        """Return how this process stands to others on its database.

        Raises: Damaged when it may not speak to them in the clear.
        """
        config, row = self.config, self.config.peers
        if not config.roles:
            return Alone(self.intake)
        is_sealed = self.credential is not None or row.host in _LOOPBACK
        because = config.unencrypted_traffic_because
        check_traffic(config.profile, because, f"{row.host}:{row.port}", is_sealed=is_sealed)
        setting = Setting(
            frozenset(OURS if "all" in config.roles else config.roles),
            tuple(self.lanes),
            host=row.host,
            port=row.port,
            timing=Timing(row.lease_s, row.beat_s),
            address=row.address,
        )
        trust = Trust(Key(self.vault.secret("cluster", b"")), self.credential)
        node = Node(self.intake, self._open_register, setting, trust)
        # Money goes one way: what is on the bus as well would be decided twice.
        by_bus = config.kafka is not None and config.kafka.relay == "kafka"
        courier = None if by_bus else Courier(self.database.store, node.ask)
        return Company(self.intake, node, courier)

    def _open_register(self, life_s: float) -> Register:
        # Only a server has what others write too, and roles are refused without one.
        return Register(cast("SharedStore", self.database.store()), life_s)

    def _open_channels(self) -> dict[str, Channel]:
        """Read the keys of every channel account; nothing is called yet.

        Raises: Damaged, naming the file that cannot be used.
        """
        found: dict[str, Channel] = {}
        for row in self.config.channels:
            watch = self.health.of(row.account)
            try:
                found[row.account] = WechatPay(row.in_folder(self.folder), real_us, watch=watch)
            except (OSError, ValueError) as error:
                raise Damaged(f"channel account {row.account}: {error}") from error
        return found

    def _open_verifier(self) -> Verifier | None:
        """Read the key of whoever verifies real names.

        Raises: Damaged, naming the file that cannot be used.
        """
        row = self.config.real_name
        if row is None:
            return None
        try:
            return FaceId(row, self.folder, lambda: real_us() // SECOND_US)
        except (OSError, ValueError) as error:
            raise Damaged(f"real_name: {error}") from error

    async def close_channels(self) -> None:
        """End the connections to every channel; on the loop that used them."""
        if self.verifier is not None:
            await self.verifier.close()
        for channel in self.channels.values():
            if isinstance(channel, WechatPay):
                await channel.close_session()

    def _check_keys(self, store: Store) -> None:
        """Refuse keys that are not those of this database: nobody known would be found again.

        Raises: Damaged.
        """
        own = fingerprint(self.vault.public_key)
        row = store.connection.execute(SELECT_SETTING, (KEYS_SETTING,)).fetchone()
        if row is None:
            store.chore(lambda connection: connection.execute(PUT_SETTING, (KEYS_SETTING, own)))
        elif row[0] != own:
            store.close()
            found = f"holds the keys {own}" if self._has_keys else "holds no keys"
            if not self._has_keys:
                forget_first_root(self.folder / KEYS)
            raise Damaged(
                f"{self.folder / KEYS} {found}; the database was made with {row[0]}. "
                "Restore the key folder from its backup"
            )

    def lane_rows(self) -> list[LaneRow]:
        """Return every lane's position after its last durable batch."""
        # A copy: where lanes are shared, the writer's thread gains and loses some meanwhile.
        return [lane.row for lane in tuple(self._writer.lanes.values())]

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How the writer's commits have ended so far."""
        return self._writer.outcomes

    @property
    def database_errors(self) -> Mapping[str, int]:
        """How often the writer's database has failed so far, by class."""
        return self._writer.store.errors

    def advance_clock(self, advance_us: int) -> None:
        """Move the sandbox's business clock forward, durably.

        Raises: Unsent, Stopping.
        """
        offset_us = self.clock.offset_us + advance_us

        def write(connection: Connection) -> None:
            connection.execute(PUT_SETTING, (CLOCK_SETTING, str(offset_us)))

        self.intake.chore(write).result()
        self.clock.offset_us = offset_us

    def follow_clock(self) -> None:
        """Go by the sandbox's clock as another process has set it."""
        if self.config.profile == "sandbox":
            row = self.reader.execute(SELECT_SETTING, (CLOCK_SETTING,)).fetchone()
            self.clock.offset_us = int(row[0]) if row else 0

    def close(self) -> None:
        """Finish what waits, publish, release the folder."""
        if self.office is not None:
            self.office.stop()
        self.intake.stop()
        self.publisher.stop()
        self.beside.close()
        self.archive.close()
        self.reader.close()
        self.lock.release()


def shown_address(database: str) -> str:
    """Return where the rows are as it may be read by anybody: without the password."""
    return repr(parse(database)) if database else ""


def broker_row(folder: Path, config: Config) -> KafkaRow | None:
    """Return what is set of a Kafka, with this process's credential; None where none is set.

    Raises: Damaged when it would be spoken to in the clear without a reason.
    """
    row, credential = config.kafka, open_credential(folder, config)
    if row is None:
        return None
    sealed = {} if credential is None else credential.broker_settings
    row = msgspec.structs.replace(row, client={**sealed, **row.client})
    protocol = row.client.get("security.protocol", "plaintext").lower()
    because = config.unencrypted_traffic_because
    is_sealed = protocol in ("ssl", "sasl_ssl")
    check_traffic(config.profile, because, row.servers, is_sealed=is_sealed)
    return row


def open_database(folder: Path, config: Config, credential: Credential | None) -> Ledger:
    """Return where the rows of a wallet are: a file of its folder, or a server; nothing is opened.

    Raises: Damaged when a server may not be spoken to, or its driver is not installed.
    """
    if not config.database:
        return SqliteFile(folder / DATABASE, config.page_cache_mib)
    address = parse(config.database)
    is_sealed = credential is not None or bool(address.socket)
    because = config.unencrypted_traffic_because
    check_traffic(config.profile, because, repr(address), is_sealed=is_sealed)
    return _server(address, config, credential)


def _server(address: Address, config: Config, credential: Credential | None) -> Ledger:
    try:
        # An extra: whoever has one file never loads the driver.
        from lingqian.storage.mysql.opening import Options  # noqa: PLC0415 - as said above
        from lingqian.storage.mysql.server import MysqlServer  # noqa: PLC0415 - as said above
    except ModuleNotFoundError as error:
        raise Damaged(
            f"{address!r} is spoken to through {error.name}, which is not installed; "
            "`pip install 'lingqian[mysql]'` brings it"
        ) from error
    tls = None if credential is None or address.socket else lambda: credential.client
    options = Options(is_sandbox=config.profile == "sandbox", tls=tls)
    return MysqlServer(address, options, Reach())


def open_credential(folder: Path, config: Config) -> Credential | None:
    """Open what a process shows to other processes, the database and the broker, if it has it.

    Raises: Damaged, naming the file that cannot be used.
    """
    return Credential(folder / config.credentials) if config.credentials else None
