"""Tallies: how each part of what goes between a ledger and a bus gets on, for others (运量)."""


class Tally:
    """What one part has done; written by its own thread, read by any.

    `carried`: messages told, or read and done. `parked`: messages that were passed over. `told`:
    for each lane it tells, the row of the journal that was told last.
    """

    __slots__ = ("carried", "is_failing", "name", "parked", "told")

    def __init__(self, name: str) -> None:
        self.name = name
        self.carried = 0
        self.parked = 0
        self.told: dict[int, int] = {}
        self.is_failing = False
