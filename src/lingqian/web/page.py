"""Pages: cursors that callers hand back and cannot read (分页).

A cursor is the key of the last row shown, behind a letter for the list it belongs to.
"""

import base64
import binascii

from lingqian.kernel.code import Code
from lingqian.web.problem import Refused


def write_cursor(kind: bytes, key: bytes) -> str:
    """Return the cursor after a row."""
    return base64.urlsafe_b64encode(kind + key).rstrip(b"=").decode()


def read_cursor(kind: bytes, text: str, size: int) -> bytes | None:
    """Return the key a cursor stands for; None for the first page.

    Refuses: invalid_field for anything that `write_cursor` did not make for this list.
    """
    if not text:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(Code.INVALID_FIELD, field="cursor", detail="not a cursor") from error
    if raw[:1] != kind or len(raw) != size + 1:
        raise Refused(Code.INVALID_FIELD, field="cursor", detail="of another list")
    return raw[1:]
