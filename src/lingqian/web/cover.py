"""Covers at the door: whether a sender may use one, and where its picture stands (红包封面).

A packet's cover is a word: a drawn one's, the app's own, or the id of a picture of the sender's.
"""

from lingqian.kernel.code import Code
from lingqian.kernel.id import PREFIX_COVER, lane_of, parse, show
from lingqian.storage import cover as rows
from lingqian.storage import query
from lingqian.storage.desk import Wish, client_key
from lingqian.web.door import Door
from lingqian.web.problem import Refused


def check_cover(door: Door, wish: Wish, caller_key: str) -> None:
    """Let only its owner send a picture; what was answered before is answered again all the same.

    Refuses: cover_unknown, the same for another's and for none.
    """
    cover_id = parse(PREFIX_COVER, wish.cover)
    if cover_id is None or rows.owner_of(door.reader, cover_id) == wish.sender_id:
        return
    key = client_key(lane_of(wish.sender_id), caller_key)
    if not query.is_key_known(door.reader, key):
        raise Refused(Code.COVER_UNKNOWN, field="cover")


def image_path(cover_id: bytes) -> str:
    """Return where a picture can be asked for."""
    return f"/v1/covers/{show(PREFIX_COVER, cover_id)}/image"


def cover_shown(door: Door, cover: str) -> tuple[str, str]:
    """Return a cover as cards name it, and its picture's place.

    A picture that is gone is no cover: the card falls back to the ordinary one.
    """
    cover_id = parse(PREFIX_COVER, cover)
    if cover_id is None:
        return cover, ""
    if not rows.owner_of(door.reader, cover_id):
        return "", ""
    return cover, image_path(cover_id)
