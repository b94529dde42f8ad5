"""When to ask a channel again what became of money on its way out (查询节奏).

Units: s; µs.   Source: WeChat Pay reference 10: each minute for five minutes, then 5, 10, 20, 30.
"""

from typing import Final

from lingqian.kernel.clock import SECOND_US

ASK_AFTER_S: Final = (60, 60, 60, 60, 60, 300, 600, 1_200, 1_800)


def ask_at_us(tries: int, at_us: int) -> int:
    """Return when to ask next after that many answers; the last distance stays."""
    return at_us + ASK_AFTER_S[min(tries, len(ASK_AFTER_S) - 1)] * SECOND_US
