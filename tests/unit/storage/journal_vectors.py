"""Golden bytes of the journal: one body for each kind of command and outcome (日记账样本).

`PYTHONPATH=tests python tests/unit/storage/journal_vectors.py` writes them anew. That is allowed
while no release has written journals; afterwards a body that changes needs a new version beside
the old one.
"""

import json
from pathlib import Path

import msgspec

from lingqian.flows.command import (
    AskAdvance,
    AskPayout,
    AskRefund,
    OpenOrder,
    SendGift,
    SendPacket,
    Transfer,
)
from lingqian.flows.gift import GiftDone
from lingqian.flows.kind import KINDS
from lingqian.ledger.posting import Posted
from lingqian.storage.codec import NO_OUTCOME, Row, encode
from sample import sample

FILE = Path(__file__).with_suffix(".json")


def rows():
    """Return number, outcome's place and a row for every kind and outcome, made of samples."""
    posted = [sample(Posted, "first"), sample(Posted, "second")]
    relayed = ((b"account of 18 bytes"[:18], 300),)
    for kind in KINDS.values():
        command = sample(kind.command)
        for place, outcome in [*enumerate(kind.outcomes), (NO_OUTCOME, None)]:
            made = None if outcome is None else sample(outcome)
            moved = (posted, relayed) if made is not None else ([], ())
            body = encode(command, made, *moved)
            yield place, command, made, Row(1, 2, 3, kind.number, 0, body), *moved


# Fields that were appended after a journal had been written; its rows read as if they were 0.
APPENDED = {
    Transfer: 1, SendPacket: 1, OpenOrder: 1, AskPayout: 1, AskRefund: 1, SendGift: 1, GiftDone: 1,
    AskAdvance: 1,
}  # fmt: skip


def earlier():
    """Yield name, command and outcome as they read now, and the row as it was once written."""
    for place, command, made, row, posted, relayed in rows():
        if type(command) in APPENDED:
            parts = (_before(command), _before(made), posted, relayed)
            body = row.body[:2] + msgspec.msgpack.encode(parts)
            yield f"{row.kind}/{place} earlier", command, made, row._replace(body=body)


def _before(made):
    """Return the fields there were before the last ones were appended."""
    count = APPENDED.get(type(made))
    return made if count is None else made[:-count]


def vectors():
    """Return the golden bytes as they stand in the file."""
    before = {
        name: {"command": type(command).__name__, "body": row.body.hex()}
        for name, command, _, row in earlier()
    }
    return before | {
        f"{row.kind}/{place}": {
            "command": type(command).__name__,
            "outcome": type(outcome).__name__,
            "body": row.body.hex(),
        }
        for place, command, outcome, row, _, _ in rows()
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n", "utf-8")
