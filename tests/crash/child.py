"""A process that asks one batch after another and says each answer as soon as it has it.

Run as a script it works on a file until it is killed. Its batches follow from their numbers, so
whoever starts it again knows what it will ask.
"""

import json
import random
import secrets
import sys
import time

from lingqian.compliance.limit import AccountClass, Limit, Span, caps
from lingqian.flows.command import ClaimPacket, Fund, RegisterUser, SendPacket, Transfer
from lingqian.flows.view import Policy
from lingqian.kernel.id import mint
from lingqian.redpacket.commitment import commitment
from lingqian.redpacket.packet import PacketKind, terms
from lingqian.simulation.seed import Sealing
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.sqlite import SqliteStore

PEOPLE, SENDS, ASKS = 40, 4, 60
FOREVER_US = 10**15
SEALING = Sealing(b"kill".ljust(32))
USERS = [mint(0, 1, number) for number in range(PEOPLE)]
LIMITS = (Limit(AccountClass.CLASS_III, Span.PAYMENT, 9_000, "a test's own"),)


class Clock:
    """The real time."""

    def now_us(self):
        """Return it."""
        return time.time_ns() // 1_000


class EagerStore(SqliteStore):
    """The control: says that a batch is durable before it is, and makes it so with the next."""

    late = ()

    def commit(self, batches):
        """Commit the batch before this one."""
        if self.late:
            super().commit(self.late)
        self.late = batches


def key(number, place):
    """Return an idempotency key of lane 0."""
    return bytes(2) + number.to_bytes(8, "big") + place.to_bytes(6, "big")


def packet_id(number, place):
    """Return the id of a packet that a batch sends."""
    return mint(0, 2, number << 8 | place)


def sent(number, place, chance):
    """Return a lucky packet that nobody outlives."""
    packet = packet_id(number, place)
    command = SendPacket(
        key=key(number, place), packet_id=packet, sender_id=chance.choice(USERS),
        kind=PacketKind.LUCKY, is_lucky=True, total_fen=chance.randrange(10, 4_000), count=5,
        share_fen_min=1, share_fen_max=20_000, spread=2, lifetime_us=FOREVER_US, draw_at_us=0,
        awaits_entropy=False, conversation_id="", recipients=b"", passphrase_mac=b"",
        greeting_mac=b"", cover="", commitment=b"", seed_sealed=b"",
    )  # fmt: skip
    seed = chance.randbytes(32)
    return command._replace(
        commitment=commitment(terms(packet, command), seed),
        seed_sealed=SEALING.seal(packet, seed),
    )


def batch(number):
    """Return the commands of a batch; the same number is the same batch."""
    if number == 0:
        return [
            *[
                RegisterUser(key(0, place), user, bytes((place,)) * 16, b"", 3)
                for place, user in enumerate(USERS)
            ],
            *[
                Fund(key(0, 100 + place), mint(0, 3, place), user, 50_000)
                for place, user in enumerate(USERS)
            ],
        ]
    chance = random.Random(number)
    commands = [sent(number, place, chance) for place in range(SENDS)]
    for place in range(SENDS, ASKS):
        source, target = chance.sample(USERS, 2)
        if chance.randrange(2):
            transfer, fen = mint(0, 4, number << 8 | place), chance.randrange(1, 10_000)
            command = Transfer(key(number, place), transfer, source, target, fen, b"", 3, 1)
        else:
            opened = packet_id(chance.randrange(max(1, number - 3), number + 1), place % SENDS)
            command = ClaimPacket(opened, target, b"", 1, 3, 1, is_member=True)
        commands.append(command)
    return commands


def said(answer):
    """Return what a caller is told, without times: the same at first and when asked again."""
    first = answer.first or answer
    if isinstance(answer.command, ClaimPacket):
        share = answer.first or answer.outcome
        return [int(answer.code), share.share, share.amount_fen] if share else [int(answer.code)]
    return [int(first.code), first.outcome is not None]


def writer(store):
    """Return a writer of one lane over a store."""
    shell = Shell(Clock(), secrets.token_bytes, SEALING.reveal)
    return Writer(store, [0], Policy(caps(LIMITS)), shell)


def ask(lane, number):
    """Ask a batch and return what was told, command by command."""
    return [said(each) for each in lane.apply([Submission(each) for each in batch(number)])]


def main(path, first, mode):
    """Ask from a batch on until killed."""
    lane = writer((EagerStore if mode == "eager" else SqliteStore)(path))
    for number in range(int(first), sys.maxsize):
        sys.stdout.write(json.dumps([number, ask(lane, number)]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
