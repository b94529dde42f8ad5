"""The inbox: a notice as it came in, kept whole, and read again after a restart (通知原文).

Law: what is kept is what was signed: the four headers the signature is about, and the body, byte
for byte; its SHA-256 stands in the journal. What is not genuine leaves no row: the last few of
those are remembered in memory, cut short.
"""

from collections import deque
from hashlib import sha256
from typing import Final, NamedTuple

from lingqian.kernel.bound import NOTICE_BYTES_MAX

SIGNED: Final = (
    "wechatpay-timestamp",
    "wechatpay-nonce",
    "wechatpay-signature",
    "wechatpay-serial",
    "wechatpay-signature-type",
)
REJECTED_MAX: Final = 256
_HEADER_LENGTH_MAX: Final = 1_024
_HEAD_BYTES_MAX: Final = 512
_END: Final = b"\n\n"


class Rejected(NamedTuple):
    """A notice that was not taken: when, for which account, why, how large, and how it began."""

    at_us: int
    account: str
    reason: str
    size: int
    digest: str
    head: str


class Rejects:
    """The last notices that were not taken; a bounded memory, because anybody may send them."""

    def __init__(self) -> None:
        self._kept: deque[Rejected] = deque(maxlen=REJECTED_MAX)

    def put(self, account: str, reason: str, body: bytes, at_us: int) -> None:
        """Remember one."""
        head = body[:_HEAD_BYTES_MAX].decode("utf-8", "replace")
        digest = sha256(body).hexdigest()
        self._kept.append(Rejected(at_us, account, reason, len(body), digest, head))

    def of(self, account: str) -> list[Rejected]:
        """Return those of an account, the newest first."""
        return [each for each in reversed(self._kept) if each.account == account]


def kept(headers: dict[str, str], body: bytes) -> bytes:
    """Return a notice as it is kept: the signed headers, an empty line, the body."""
    lines = [f"{name}: {headers[name][:_HEADER_LENGTH_MAX]}" for name in SIGNED if name in headers]
    assert len(body) <= NOTICE_BYTES_MAX, "a larger notice is refused at the door"
    return "\n".join(lines).encode("latin-1", "replace") + _END + body


def read_kept(raw: bytes) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a kept notice."""
    top, _, body = raw.partition(_END)
    lines = [line.partition(": ") for line in top.decode("latin-1").split("\n") if line]
    return {name: value for name, _, value in lines}, body
