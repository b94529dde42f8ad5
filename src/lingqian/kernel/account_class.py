"""Payment account classes (支付账户类别).

Source: 公告〔2015〕43 号; class 0 is ours: nobody verified yet.
"""

from enum import IntEnum


class AccountClass(IntEnum):
    """How well a person has been identified; each class has its own limits."""

    NONE = 0
    CLASS_I = 1
    CLASS_II = 2
    CLASS_III = 3
