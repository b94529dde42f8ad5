"""Levels of proof, and what each does not stop (证明等级).

Law: a level is what the record shows, never what was hoped for; its limits are said beside it.
Source: docs/reference/proof.md, "Levels".
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """One thing that a level does not stop, in the words people read."""

    code: str
    zh: str
    en: str


_SEED_CHOICE = Limit(
    "seed_choice",
    "不能防止平台在公布承诺之前反复挑选种子，直到得到它想要的金额列表。",
    "The operator may have tried many seeds before it showed the commitment.",
)
_SENDER_COLLUSION = Limit(
    "sender_collusion",
    "不能防止平台与发送人串通，一起挑选种子和随机数。",
    "The operator and the sender together may have tried many seeds.",
)
_EARLY_VIEW = Limit(
    "early_view",
    "不能防止能读取密封种子的内部人员提前知道下一份的金额，再选择领取时机。",
    "An insider who can read the sealed seed knows the next amount and may time a claim.",
)
_LAST_TICKET = Limit(
    "last_ticket",
    "不能防止平台在截止前增加或丢弃最后一张券来改变抽奖结果。",
    "The operator may add or drop a last ticket before the close to steer the draw.",
)
_ADMISSION = Limit(
    "admission",
    "不能防止平台拒收或拖延某个人的请求；请保存领取回执，与证明中的链核对。",
    "The operator may refuse or delay a request; compare the receipt of your claim with the chain.",
)
_STRANGERS = Limit(
    "strangers",
    "不能证明化名背后是谁：平台自己的账号也可能参与。",
    "Pseudonyms do not show who claimed: accounts of the operator may be among them.",
)

#: Level → what it does not stop, for packets opened one by one (1–3) and draws by a beacon (4).
LIMITS: dict[int, tuple[Limit, ...]] = {
    1: (_SEED_CHOICE, _EARLY_VIEW, _ADMISSION, _STRANGERS),
    2: (_SENDER_COLLUSION, _EARLY_VIEW, _ADMISSION, _STRANGERS),
    3: (_EARLY_VIEW, _ADMISSION, _STRANGERS),
    4: (_ADMISSION, _STRANGERS),
}

#: The same for draws permuted by the closed ticket chain, without a beacon.
DRAW_LIMITS: dict[int, tuple[Limit, ...]] = {
    1: (_SEED_CHOICE, _LAST_TICKET, _ADMISSION, _STRANGERS),
    2: (_SENDER_COLLUSION, _LAST_TICKET, _ADMISSION, _STRANGERS),
}


def reached(*, draw: bool, entropy: bool, beacon: bool) -> int:
    """Return the level that a packet reaches with what was mixed in."""
    if beacon:
        return 4 if draw else 3
    return 2 if entropy else 1


def label(level: int, *, draw: bool) -> str:
    """Return the level as shown: `1` to `4`, or `1-draw` and `2-draw` for a draw by its chain."""
    return f"{level}-draw" if draw and level in DRAW_LIMITS else str(level)


def limits(level: int, *, draw: bool) -> tuple[Limit, ...]:
    """Return what the level does not stop, for a draw or for a packet opened one by one."""
    if draw and level in DRAW_LIMITS:
        return DRAW_LIMITS[level]
    return LIMITS[level]
