"""Pictures: bytes from strangers, decoded by a kept library and drawn anew by us (图片).

Law: what comes out is a JPEG of one size, and holds nothing but what can be seen: no comment, no
place, no second picture and no script of what came in.
"""

import io
import struct
import zlib
from typing import Final, NamedTuple

from PIL import Image, ImageOps

from lingqian.kernel.bound import (
    COVER_HEIGHT,
    COVER_PIXELS_MAX,
    COVER_SIDE_MAX,
    COVER_SIDE_MIN,
    COVER_WIDTH,
)
from lingqian.kernel.code import Code
from lingqian.web.problem import Refused


class Form(NamedTuple):
    """A form of picture that is taken: the library's name, how its bytes begin, how they end."""

    name: str
    begins: bytes
    ends: bytes


# A format that can carry scripts, or move, is not among them; what a page cuts is one of these.
FORMS: Final = {
    "image/jpeg": Form("JPEG", b"\xff\xd8\xff", b"\xff\xd9"),
    "image/png": Form("PNG", b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"),
}
_QUALITY: Final = 80
# Modes that can be made smaller as they are; a large picture is not copied for it.
_SMOOTH: Final = ("L", "RGB", "RGBA")
# The envelope's own colour shows where a picture lets something through.
_GROUND: Final = (184, 54, 43)
# What the library's decoders raise on bytes that are not what they say; their warnings too, where
# whoever runs the process has made errors of them.
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)


def _unfit(detail: str) -> Refused:
    return Refused(Code.PICTURE_UNFIT, detail=detail)


def redraw(media: str, body: bytes) -> bytes:
    """Return a picture cut to the envelope and drawn anew; takes long, belongs on a thread.

    Refuses: picture_unfit.
    """
    form = FORMS[media]
    if not body.startswith(form.begins):
        raise _unfit(f"these bytes are no {form.name}")
    if not body.endswith(form.ends):
        raise _unfit("it does not end where its picture ends")
    try:
        # Only the header is read here; nothing is decoded before its size is known.
        with Image.open(io.BytesIO(body), formats=[form.name]) as opened:
            _check(opened)
            return _drawn(opened)
    except _BROKEN as error:
        raise _unfit("it cannot be read to its end") from error


def _check(opened: Image.Image) -> None:
    """Look at what a header says before any memory is given to it."""
    width, height = opened.size
    if min(width, height) < COVER_SIDE_MIN:
        raise _unfit(f"a side is shorter than {COVER_SIDE_MIN} pixels")
    if max(width, height) > COVER_SIDE_MAX or width * height > COVER_PIXELS_MAX:
        raise _unfit(f"it has more than {COVER_PIXELS_MAX} pixels, or a side over {COVER_SIDE_MAX}")
    if getattr(opened, "n_frames", 1) > 1:
        raise _unfit("it holds more than one picture")


def _drawn(opened: Image.Image) -> bytes:
    size = (COVER_WIDTH, COVER_HEIGHT)
    # A large photograph is decoded at a fraction of its size; for other forms this does nothing.
    opened.draft("RGB", (2 * COVER_HEIGHT, 2 * COVER_HEIGHT))
    ImageOps.exif_transpose(opened, in_place=True)
    smooth = opened if opened.mode in _SMOOTH else opened.convert("RGBA")
    fitted = ImageOps.fit(smooth, size, Image.Resampling.LANCZOS).convert("RGBA")
    # A canvas of our own: comments and profiles travel with a picture, and with its copies.
    canvas = Image.new("RGB", size, _GROUND)
    canvas.paste(fitted, mask=fitted)
    written = io.BytesIO()
    canvas.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return written.getvalue()
