"""What clients remember of what they were told, and what must follow from it (客户端的记忆).

Nothing here looks into the ledger: balances are reckoned from answers alone.
"""

import random
import secrets
import threading
from collections import Counter
from typing import NamedTuple

# No answer yet: the line broke, or the server asks to come again.
OPEN = frozenset({0, 429, 503})
# What a repeat must say again, word for word.
LASTING = ("id", "commitment", "state", "amount_fen", "index", "receipt", "code")


class Question(NamedTuple):
    """One request; asked again it is the same, key and all."""

    path: str
    body: tuple[tuple[str, object], ...]
    key: str


class Told(NamedTuple):
    """An answer, as far as it may never change."""

    is_good: bool
    words: tuple[tuple[str, object], ...]

    def word(self, name):
        """Return one of the words."""
        return dict(self.words)[name]


class Memory:
    """All questions of all clients: those answered, with their answers, and those still open."""

    def __init__(self):
        self.told = {}
        self.open = []
        self.wrong = []
        self.lock = threading.Lock()

    def ask(self, server, question):
        """Ask, and remember the answer or that there is none; a changed answer is a wrong one."""
        reply = server.call("POST", question.path, dict(question.body), key=question.key)
        if reply.status in OPEN:
            with self.lock:
                self.open.append(question)
            return None
        words = tuple([(name, reply.body[name]) for name in LASTING if name in reply.body])
        told = Told(200 <= reply.status < 300, words)
        with self.lock:
            first = self.told.setdefault(question, told)
        if reply.status >= 500 or first != told:
            self.wrong.append((question, first, told, reply))
        return told

    def ask_again(self, server, size):
        """Ask some answered questions again."""
        with self.lock:
            questions = random.sample(list(self.told), min(size, len(self.told)))
        for question in questions:
            self.ask(server, question)

    def next_open(self):
        """Take one unanswered question, if there is one."""
        with self.lock:
            return self.open.pop(random.randrange(len(self.open))) if self.open else None


def question(path, **body):
    """Return a new question with a key of its own."""
    return Question(path, tuple(body.items()), secrets.token_hex(16))


def reckon(memory, start_fen):
    """Return what everybody must have, from what was told; `start_fen` is what they began with."""
    fen = Counter(start_fen)
    for asked, told in memory.told.items():
        if not told.is_good:
            continue
        body = dict(asked.body)
        if asked.path == "/v1/transfers":
            fen[body["source_id"]] -= body["amount_fen"]
            fen[body["target_id"]] += body["amount_fen"]
        elif asked.path == "/v1/packets":
            # What nobody was told of has gone back: the sender is out only of what was claimed.
            packet = f"/v1/packets/{told.word('id')}/claims"
            claimed = shares(memory, packet)
            fen[body["sender_id"]] -= sum(claimed.values())
            for user, amount_fen in claimed.items():
                fen[user] += amount_fen
    return fen


def shares(memory, path):
    """Return what was told of one packet: user → share; one answer for each person."""
    found = {}
    for asked, told in memory.told.items():
        if asked.path == path and told.is_good:
            user, amount_fen = dict(asked.body)["user_id"], told.word("amount_fen")
            assert found.setdefault(user, amount_fen) == amount_fen, "two shares for one person"
    return found
