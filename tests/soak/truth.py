"""What everybody was entitled to hear, read from the journal itself, and what was heard instead.

Law: of each lane a stream holds every event it is entitled to, once, in the journal's order, from
where it began on; between lanes there is no order.
"""

import json
from collections import defaultdict
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from lingqian.compose import DATABASE
from lingqian.events.push import Filter
from lingqian.events.tail import ALL, Journal, read_position
from lingqian.kernel.id import PREFIX_PACKET, PREFIX_USER, parse
from lingqian.storage.sqlite import connect


class Heard(NamedTuple):
    """What came over one stream: where it began, and the events' ids in their order."""

    start: dict
    ids: list


def journal(folder):
    """Return every event there is, read by a reader that has never read before."""
    found, position = [], {}
    with closing(connect(str(folder / DATABASE), readonly=True)) as connection:
        tail = Journal(connection, "urn:soak")
        while (piece := tail.after(position)).end != position:
            found += piece.events
            position = piece.end
    return found


def heard(connections):
    """Read what came over a stream's connections; a frame that was cut off was not heard."""
    start, ids = None, []
    for frame in (frame for text in connections for frame in text.split("\n\n")[:-1]):
        fields = dict(line.split(": ", 1) for line in frame.split("\n") if ": " in line)
        if start is None and "id" in fields:
            start = read_position(fields["id"])
        if "data" in fields:
            ids.append(json.loads(fields["data"])["id"])
    return Heard(start, ids)


def wanted(path):
    """Return the filter that a stream's address asks for."""
    fields = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    return Filter(
        frozenset(fields.get("types", "").split(",")) - {""},
        parse(PREFIX_USER, fields["user_id"]) if "user_id" in fields else b"",
        parse(PREFIX_PACKET, fields["packet_id"]) if "packet_id" in fields else b"",
    )


def due(events, start, want):
    """Return the ids that a stream which began there should hold."""
    return [each.id for each in events if want.wants(each) and is_after(start, each)]


def is_after(position, event):
    """Say whether an event lies behind a position."""
    seq, number = position.get(event.lane, (0, ALL))
    return event.seq > seq or (event.seq == seq and event.number >= number)


def by_lane(ids):
    """Sort ids by their lanes, keeping the order within each."""
    lanes = defaultdict(list)
    for each in ids:
        lanes[each.partition(":")[0]].append(each)
    return lanes


def wrong(ids, expected, *, is_whole):
    """Say where a stream differs from what it should hold; a part of it may end early."""
    ours, theirs = by_lane(ids), by_lane(expected)
    found = []
    for lane in sorted(ours.keys() | theirs.keys()):
        got, should = ours[lane], theirs[lane]
        if not is_whole:
            should = should[: len(got)]
        if got != should:
            pairs = zip(got, should, strict=False)
            least = min(len(got), len(should))
            place = next((place for place, (a, b) in enumerate(pairs) if a != b), least)
            near = slice(max(0, place - 1), place + 2)
            counts = f"lane {lane}: {len(got)} heard of {len(should)}"
            found.append(f"{counts}; at {place} {got[near]} instead of {should[near]}")
    return found


def out_of_order(ids, events):
    """Return what was heard twice, or before what came earlier in its lane."""
    places = {each.id: place for place, each in enumerate(events)}
    return [
        f"{b} after {a}"
        for lane in by_lane(ids).values()
        for a, b in pairwise(lane)
        if places[b] <= places[a]
    ]
