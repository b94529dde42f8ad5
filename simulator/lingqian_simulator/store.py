"""The store: every noun by kind and key, in memory alone or also in one SQLite file (存储).

A restart with the same file keeps orders, money, notices still to be sent, and the keys.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

_OWNER_ONLY: Final = 0o600
Noun = TypeVar("Noun", bound=msgspec.Struct)


class Store:
    """Rows in one table; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._base: sqlite3.Connection | None = None
        if path is None:
            return
        # Private keys are among the nouns; what SQLite keeps beside the file takes its rights.
        path.touch(mode=_OWNER_ONLY)
        path.chmod(_OWNER_ONLY)
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS nouns (kind TEXT, key TEXT, body BLOB NOT NULL,"
            " PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT"
        )

    def put(self, key: str, noun: msgspec.Struct) -> None:
        """Keep a noun, in the place of what had this key."""
        if self._base is None:
            return
        if not self._base.in_transaction:
            self._base.execute("BEGIN")
        row = (type(noun).__name__, key, msgspec.json.encode(noun))
        self._base.execute("INSERT OR REPLACE INTO nouns VALUES (?, ?, ?)", row)

    def all(self, kind: type[Noun]) -> Iterator[Noun]:
        """Yield every noun of a kind, in the order of their keys."""
        if self._base is None:
            return
        rows = self._base.execute(
            "SELECT body FROM nouns WHERE kind = ? ORDER BY key", (kind.__name__,)
        )
        for (body,) in rows.fetchall():
            yield msgspec.json.decode(body, type=kind)

    def commit(self) -> None:
        """Keep what was put since the last call, all of it or nothing."""
        if self._base is not None and self._base.in_transaction:
            self._base.execute("COMMIT")

    def close(self) -> None:
        """Keep what was put and let the file go."""
        self.commit()
        if self._base is not None:
            self._base.close()
            self._base = None
