"""The door: what every handler stands on, and the work that goes on beside them (接口层)."""

import asyncio
import itertools
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, Final

from lingqian.cluster.post import RELAY_POST, job
from lingqian.compose import Wallet, fee_plans, real_us
from lingqian.events import beacon
from lingqian.events.agent import Agent
from lingqian.events.degrade import Errand, Surroundings, Watch
from lingqian.events.errand import Kit as AgentKit
from lingqian.events.inbox import Rejects
from lingqian.events.pace import Priority
from lingqian.events.push import Notices
from lingqian.events.reconcile import Means, Reconciler
from lingqian.events.tail import Bell, Journal
from lingqian.events.webhook import Dispatcher, Kit
from lingqian.flows.command import ClosePacket, Command
from lingqian.kernel.bound import CONVERSATIONS_KEPT_MAX, DATABASE_CONNECT_S_MAX
from lingqian.kernel.clock import SECOND_US, rfc3339
from lingqian.kernel.fault import BadSignature, Damaged, Fault, Rejected, Unknown, Unsent
from lingqian.kernel.id import PREFIX_PACKET, mint, show
from lingqian.storage import query
from lingqian.storage.act import Deed, add_act
from lingqian.storage.clock import unix_ms
from lingqian.storage.desk import FIELD_NICKNAME
from lingqian.storage.endpoint import Endpoint
from lingqian.storage.intake import Batched
from lingqian.storage.keyring import Keyring
from lingqian.storage.lane import Answer, Submission
from lingqian.storage.port import Connection
from lingqian.storage.session import Sessions
from lingqian.storage.setback import Setback
from lingqian.storage.sweep import due
from lingqian.storage.vault import fingerprint
from lingqian.topup.evidence import Source
from lingqian.web.lookout import Lookout
from lingqian.web.meter import Meter
from lingqian.web.once import Busy, UsedKeys
from lingqian.web.person import Spent
from lingqian.web.reply import encode

STUCK_S: Final = 5
# One read that failed is no outage: the next one, a fraction of a second later, may have an answer.
AWAY_S: Final = 1.0
SWEEP_EVERY_S: Final = 0.2
SWEEP_ROWS_MAX: Final = 500
AGAIN_AFTER_S: Final = 1.0
# What has gone on for so long has no setback any more; a database that is not there may take
# half of this to be found out.
CALM_S: Final = 2.0 * DATABASE_CONNECT_S_MAX
# How often an eye is kept on what other processes commit, and every how many times on the rest.
FOLLOW_EVERY_S: Final = 0.1
FOLLOW_TURNS: Final = 10
DISABLED: Final = "webhook.disabled.v1"
_log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


class Door:
    """The wallet with what the API adds: callers, meters, events, a memory of where packets are."""

    def __init__(self, wallet: Wallet) -> None:
        self.wallet = wallet
        self.keys = Keyring(wallet.reader)
        self.sessions = Sessions(wallet.reader, wallet.vault)
        self.page_keys = UsedKeys()
        # Devices and addresses that an advance is just being asked for from.
        self.places = Busy()
        self.spent = Spent(real_us() // SECOND_US)
        self.meter = Meter()
        self.lookout = Lookout(wallet, self.meter)
        self.body_bytes_max = wallet.config.body_bytes_max
        self.bell = Bell()
        self.notices = Notices(self.bell)
        self.source = f"urn:lingqian:{fingerprint(wallet.vault.public_key)}"
        self.journal = Journal(wallet.reader, self.source)
        self.dispatcher = Dispatcher(self._kit())
        self.watch = Watch(self._surroundings())
        self.agent = Agent(self._agent_kit())
        for account, losses in self.agent.errands.losses.items():
            self.meter.watch_losses(account, lambda losses=losses: losses.lost_ppm)  # type: ignore[misc]  # bound now
            self.meter.watch_mode(account, lambda account=account: self.watch.mode(account))  # type: ignore[misc]  # as above
        # What is slow on purpose runs in threads, two at a time: it is memory as well as time.
        self.slow = asyncio.Semaphore(2)
        # Codes and pictures of links need no key, and each takes a while.
        self.drawing = asyncio.Semaphore(1)
        self.rejects = Rejects()
        self.reconciler = Reconciler(self._means())
        self.streams = 0
        self.is_stopping = False
        # The sweep's post may go and come back while it lasts.
        self._sweep_setback = Setback(_log, "sweep")
        # The OpenAPI document, made once when the app is.
        self.document = b"{}"
        self.proofs: OrderedDict[bytes, bytes] = OrderedDict()
        self._conversations: dict[bytes, str] = {}
        wallet.intake.on_batch = self._heard

    def _kit(self) -> Kit:
        wallet = self.wallet
        return Kit(
            self.journal,
            wallet.reader,
            self.chore,
            wallet.vault,
            self.bell,
            self._tell_disabled,
            wallet.config.webhook_private_hosts,
        )

    def _agent_kit(self) -> AgentKit:
        wallet = self.wallet
        return AgentKit(
            wallet.reader,
            self.ask,
            wallet.cashier,
            wallet.channels,
            wallet.clock,
            self.meter,
            self.watch.pulse,
        )

    def _surroundings(self) -> Surroundings:
        wallet = self.wallet
        hosts = {row.account: row.hosts for row in wallet.config.channels}
        return Surroundings(
            wallet.reader, self.ask, wallet.lanes, wallet.clock, wallet.health, hosts
        )

    def _means(self) -> Means:
        wallet = self.wallet
        return Means(
            wallet.reader,
            wallet.vault,
            self.ask,
            wallet.desk,
            wallet.cashier,
            wallet.channels,
            fee_plans(wallet.config),
            wallet.clock,
            wallet.beside,
        )

    def _heard(self, batched: Batched) -> None:
        """Count a batch and wake who waits for it; runs in the writer's thread."""
        self.meter.batch(batched)
        self.bell.strike()

    def _tell_disabled(self, endpoint: Endpoint, at_us: int) -> None:
        envelope = {
            "specversion": "1.0",
            "id": f"{endpoint.endpoint_id}:{at_us}",
            "source": self.source,
            "type": DISABLED,
            "subject": endpoint.endpoint_id,
            "time": rfc3339(at_us),
            "datacontenttype": "application/json",
            "data": {"endpoint_id": endpoint.endpoint_id, "url": endpoint.url},
        }
        self.notices.put(DISABLED, encode(envelope))

    @property
    def unready(self) -> str:
        """Why nobody can be served here now, in words that anybody may read; empty when all can."""
        wallet = self.wallet
        reasons = (
            (self.is_stopping, "the process is about to end"),
            (not wallet.intake.is_open, "the lane has stopped"),
            (wallet.database.away_s >= AWAY_S, "the database does not answer"),
            (wallet.intake.waits_s >= STUCK_S, "a batch hangs"),
            (not wallet.company.is_joined, "the process has no place among the others"),
        )
        return next((words for is_so, words in reasons if is_so), "")

    @property
    def full_pct(self) -> int:
        """How busy the process is: how much of the queue is taken, in per cent."""
        return self.wallet.company.full_pct

    def stop(self) -> None:
        """Say that the process is about to end: streams close, readiness is withdrawn."""
        self.is_stopping = True
        self.wallet.company.hand_over()
        self.bell.strike()

    @property
    def reader(self) -> Connection:
        """The connection for reads, of the event loop's thread."""
        return self.wallet.reader

    def new_id(self, lane: int) -> bytes:
        """Mint the id of a row that no lane decides about."""
        return mint(lane, unix_ms(), secrets.randbits(64))

    async def ask(self, submission: Submission) -> Answer:
        """Put a command to the lane and wait until its answer is durable.

        Raises: Busy, Stopping, Unsent, Unknown, Fenced; Accepted when it is on its way.
        """
        return await self.wallet.ask(submission)

    async def chore(self, work: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 - what the work returns
        """Run other writes on the writer's connection.

        Raises: Unsent, Stopping.
        """
        return await asyncio.wrap_future(self.wallet.intake.chore(work))

    async def note(self, actor: str, operation: str, subject: str, status: int) -> None:
        """Write an operator's act down, durably.

        Raises: Unsent, Stopping.
        """
        deed = Deed(real_us(), actor, operation, subject, status)
        vault = self.wallet.vault
        await self.chore(lambda connection: add_act(connection, vault, deed))

    async def counted(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Hand on the pieces of a stream, counted as open until it ends."""
        self.streams += 1
        try:
            async for piece in pieces:
                yield piece
        finally:
            self.streams -= 1

    def conversation(self, packet_id: bytes) -> str:
        """Return the conversation a packet was posted in; empty for none, or for no packet."""
        known = self._conversations.get(packet_id)
        if known is None:
            known = query.conversation_of(self.reader, packet_id)
            if known is None:
                return ""
            if len(self._conversations) >= CONVERSATIONS_KEPT_MAX:
                self._conversations.clear()
            self._conversations[packet_id] = known
        return known

    def may_see(self, conversation_id: str, user_id: bytes) -> bool:
        """Say whether a person belongs to a conversation; to one without a list everybody does."""
        if not conversation_id:
            return True
        members = self.wallet.directory.members(conversation_id)
        return members is None or user_id in members

    def is_listed(self, conversation_id: str, user_id: bytes) -> bool:
        """Say whether a person stands on a conversation's list; on none, nobody does."""
        return user_id in (self.wallet.directory.members(conversation_id) or ())

    def text(self, owner_id: bytes, field: int) -> str:
        """Return one field of personal data; empty when there is none, or none that can be read."""
        sealed = query.sealed_text(self.reader, owner_id, field)
        if sealed is None:
            return ""
        try:
            plain = self.wallet.vault.open("personal", owner_id + bytes((field,)), sealed)
        except Damaged as fault:
            # A name that cannot be read must not hide the money it stands beside.
            _log.error("personal text of %s: %s", owner_id.hex(), fault)
            return ""
        return plain.decode()

    def nickname(self, user_id: bytes) -> str:
        """Return how a person is called."""
        return self.text(user_id, FIELD_NICKNAME)

    async def work(self) -> None:
        """Do what goes on beside the requests, until cancelled."""
        jobs: dict[str, Work] = {"sweep": self._sweep, "webhooks": self.dispatcher.run}
        wallet = self.wallet
        if wallet.beacon is not None:
            follower = beacon.Follower(wallet.beacon, wallet.reader, wallet.clock, self._mix)
            jobs["beacon"] = lambda: beacon.follow(follower)
        if wallet.channels:
            jobs["agent"], jobs["reconcile"] = self.agent.run, self.reconciler.run
            jobs["degrade"] = self._degrade
        run = wallet.company.posts.run
        works: dict[str, Work] = {
            name: partial(run, job(name), work) for name, work in jobs.items()
        }
        if wallet.config.roles:
            works["following the journal"] = self._follow
        if (courier := wallet.company.courier) is not None:
            works["relay"] = partial(run, RELAY_POST, courier.run)
        try:
            await asyncio.gather(*[keep(name, work) for name, work in works.items()])
        finally:
            await wallet.close_channels()

    async def _follow(self) -> None:
        """Learn what other processes have done: wake who waits for events, look again."""
        ends: dict[int, int] = {}
        setback = Setback(_log, "following the journal")
        for turn in itertools.count():
            try:
                now = query.ends(self.reader)
                if not turn % FOLLOW_TURNS:
                    self.wallet.follow_clock()
            except Fault as fault:
                setback.failed(fault)
            else:
                setback.over()
                if now != ends:
                    ends = now
                    self.bell.strike()
                if not turn % FOLLOW_TURNS:
                    self.dispatcher.refresh()
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _degrade(self) -> None:
        await self.watch.run(Errand(self._asked, self._reached, self._shut))

    async def _asked(self, attempt_id: bytes) -> bool:
        """Ask a channel about one attempt; a no of the channel is an answer too."""
        try:
            await self.agent.errands.look(attempt_id, Source.QUERY, Priority.OLDEST)
        except Rejected as no:
            _log.info("%s: %s", attempt_id.hex(), no.code)
        except (Unsent, Unknown, BadSignature) as fault:
            _log.info("%s: %s", attempt_id.hex(), fault)
            return False
        return True

    async def _reached(self, attempt_id: bytes) -> bool:
        """Say whether the channel of an attempt answers at all."""
        row = query.attempt(self.reader, attempt_id)
        assert row is not None, "an attempt that was tried exists"
        try:
            await self.agent.errands.ask(attempt_id, row.account, Priority.OLDEST)
        except Rejected:
            return True
        except (Unsent, Unknown, BadSignature):
            return False
        return True

    async def _shut(self, attempt_id: bytes) -> None:
        """Begin to close an attempt; whatever is left of it has its own schedule."""
        await self.ask(self.wallet.cashier.begin_close(attempt_id))
        self.agent.close_soon(attempt_id)

    async def _mix(self, packet_id: bytes, randomness: bytes, signature: bytes) -> Answer:
        return await self.ask(self.wallet.desk.beacon(packet_id, randomness, signature))

    async def _sweep(self) -> None:
        """Settle what is due by the clock, again and again; rest when nothing could be settled."""
        setback = self._sweep_setback
        while True:
            answers: list[Answer] = []
            try:
                commands = due(self.reader, self.wallet.clock.now_us(), SWEEP_ROWS_MAX)
                answers = await asyncio.gather(*[self._settle(each) for each in commands])
            except Fault as fault:
                setback.failed(fault)
            else:
                setback.over()
            settled = sum(not answer.code for answer in answers)
            if settled < SWEEP_ROWS_MAX:
                await asyncio.sleep(SWEEP_EVERY_S)

    async def _settle(self, command: Command) -> Answer:
        """Settle what is due; a packet whose proof can then not be made is told at once."""
        answer = await self.ask(Submission(command))
        if isinstance(command, ClosePacket) and not answer.code:
            sent = query.packet(self.reader, command.packet_id)
            if sent is not None:
                self.seed(sent)
        return answer

    def seed(self, sent: query.Sent) -> bytes | None:
        """Return a closed packet's seed, to be revealed; None, with an alarm, if it is lost."""
        packet_id, packet, _ = sent
        try:
            return self.wallet.vault.open("seed", packet_id, packet.seed_sealed)
        except Damaged as fault:
            self.meter.withheld()
            _log.critical("%s: its proof is withheld: %s", show(PREFIX_PACKET, packet_id), fault)
            return None


async def keep(name: str, work: Work) -> None:
    """Do work that has no end; whatever ends it is told, and it begins again.

    Surroundings that fail are told once an outage; a mistake of ours whole, each time.
    """
    setback = Setback(_log, name)
    while True:
        calm = asyncio.get_running_loop().call_later(CALM_S, setback.over)
        try:
            await work()
        except Fault as fault:
            setback.failed(fault)
        except Exception:  # noqa: BLE001 - the outermost loop; told, and begun again
            _log.exception("%s: a mistake of ours has ended it, and it begins again", name)
        finally:
            calm.cancel()
        await asyncio.sleep(AGAIN_AFTER_S)


def fresh_key() -> str:
    """Return a key for a command that its caller did not name: it is asked once."""
    return f"\0{time.time_ns()}-{secrets.token_hex(8)}"
