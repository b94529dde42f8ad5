"""The gifts there are, as rows: code, names and price (礼物表).

A command carries the price it was shown, so a row may change; a code is never given to another.
Units: coins.
"""

from typing import Final, NamedTuple


class GiftRow(NamedTuple):
    """One gift: the code that stands in commands, its names, and its price in coins."""

    code: str
    zh: str
    en: str
    coins: int


CATALOGUE: Final[dict[str, GiftRow]] = {
    row.code: row
    for row in (
        GiftRow("candle", "小烛", "Candle", 1),
        GiftRow("rose", "玫瑰", "Rose", 10),
        GiftRow("tea", "一盏茶", "Cup of tea", 66),
        GiftRow("lantern", "花灯", "Lantern", 188),
        GiftRow("kite", "纸鸢", "Kite", 520),
        GiftRow("boat", "龙舟", "Dragon boat", 1_314),
        GiftRow("crane", "仙鹤", "Crane", 5_200),
        GiftRow("galaxy", "银河", "Galaxy", 18_888),
    )
}
assert all(row.coins > 0 for row in CATALOGUE.values()), "nothing is given for nothing"
