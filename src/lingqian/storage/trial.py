"""The trial balance: what every book holds, in one read (试算平衡).

Law: what is owed to users = what backs it, in every committed state.   Units: fen.
It walks every account: for a person who looks, not for a hot path.
"""

from typing import Final, NamedTuple

from lingqian.ledger.chart import CHART, Book, Tier
from lingqian.storage.port import Connection

SELECT_BOOKS: Final = (
    "SELECT substr(account, 17, 1), sum(credits_posted - debits_posted) FROM accounts GROUP BY 1"
)


class Trial(NamedTuple):
    """The balance of every book on its normal side; absent books hold nothing."""

    books: dict[Book, int]

    def tier_fen(self, tier: Tier) -> int:
        """Return what a tier's books hold together."""
        return sum(fen for book, fen in self.books.items() if CHART[book].tier is tier)

    @property
    def owed_fen(self) -> int:
        """What is owed to users: balances, packets on their way, money between lanes."""
        return self.tier_fen(Tier.USER)

    @property
    def backed_fen(self) -> int:
        """What lies at the bank for it."""
        return self.tier_fen(Tier.RESERVE)


def trial(connection: Connection) -> Trial:
    """Read the trial balance on one snapshot."""
    rows: list[tuple[bytes, int]] = connection.execute(SELECT_BOOKS).fetchall()
    books = {Book(number[0]): credit_fen for number, credit_fen in rows}
    return Trial(
        {book: -fen if CHART[book].is_debit_normal else fen for book, fen in books.items()}
    )
