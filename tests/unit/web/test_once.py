"""Names that somebody is busy with: held until it is done, by whatever way, and by nobody twice."""

import pytest

from lingqian.web.once import Busy


def test_a_name_is_held_until_it_is_done():
    """One of several names is enough to be told so; others go on beside."""
    busy = Busy()
    with busy.alone((b"device", b"address")) as first:
        with busy.alone((b"address",)) as second, busy.alone((b"elsewhere",)) as third:
            assert (first, second, third) == (True, False, True)
        with busy.alone((b"address",)) as again:
            assert not again, "who was turned away has let go of nothing"
    with busy.alone((b"address",)) as later:
        assert later


def test_what_fails_lets_go():
    """Else a device that once met a fault would never have an advance again."""
    busy = Busy()
    with pytest.raises(ZeroDivisionError), busy.alone((b"device",)):
        raise ZeroDivisionError
    with busy.alone((b"device",)) as again:
        assert again


def test_nothing_known_holds_nothing():
    """Two who name neither device nor address are not the same place."""
    busy = Busy()
    with busy.alone(()) as first, busy.alone(()) as second:
        assert (first, second) == (True, True)
