"""A process that owns a lane of a database server and says every answer as soon as it has it.

Run as a script with the address's parts it works until it is killed or finds that it is no longer
the owner; then it says so and goes. Its keys carry its name, so no two owners ask the same.
"""

import sys
import time

from lingqian.compliance.limit import DEFAULT, caps
from lingqian.flows.command import Fund, RegisterUser
from lingqian.flows.view import Policy
from lingqian.kernel.account_class import AccountClass
from lingqian.kernel.fault import Fenced, Unknown, Unsent
from lingqian.kernel.id import mint
from lingqian.storage.lane import Shell, Submission, Writer
from lingqian.storage.mysql.address import Address
from lingqian.storage.mysql.store import MysqlStore

USER = mint(0, 1, 1)
TAKE_S = 60


class Clock:
    """The real time."""

    def now_us(self):
        """Return it."""
        return time.time_ns() // 1_000


def key(name, number):
    """Return the key of one owner's command; every owner has a letter."""
    return bytes(2) + name.encode() + number.to_bytes(13, "big")


def registration():
    """Return the command that makes the one person of this lane."""
    return RegisterUser(key("0", 0), USER, b"e" * 16, b"", AccountClass.CLASS_III)


def funding(name, number):
    """Return the command that gives one fen."""
    return Fund(key(name, number), mint(0, ord(name), number), USER, 1)


def own(address):
    """Take the lane; whoever had it may have stopped in the middle of a commit."""
    policy = Policy(caps(DEFAULT))
    until = time.monotonic() + TAKE_S
    while True:
        try:
            store = MysqlStore(address)
            return Writer(store, [0], policy, Shell(Clock(), chance, None))
        except Unsent:
            if time.monotonic() > until:
                raise


def chance(size):
    """Return bytes that no other process draws."""
    with open("/dev/urandom", "rb") as source:  # noqa: PTH123 - a device
        return source.read(size)


def say(word):
    """Say a word so that it is heard even if this process ends now."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def work(writer, name):
    """Ask one command after the other until somebody else has the lane."""
    number = 0
    while True:
        number += 1
        try:
            writer.apply([Submission(funding(name, number))])
        except Fenced:
            say("fenced")
            return
        except (Unsent, Unknown):
            number -= 1
            continue
        say(number)


def main(name, port, database):
    """Own lane 0."""
    writer = own(Address("root", "", "127.0.0.1", int(port), database))
    writer.apply([Submission(registration())])
    say("owns")
    work(writer, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
