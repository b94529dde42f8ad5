"""What is shed first: every operation has its rank, and some are never shed at all."""

from lingqian.kernel.code import Code
from lingqian.web.app import OPERATIONS
from lingqian.web.shed import APART, BY_TAG, SHED_AT_PCT, Rank, is_shed

NAMES = {f"{each.method} {each.path}": each for each in OPERATIONS}


def test_every_operation_has_a_rank_and_every_row_an_operation():
    """A new one stands in the table, or nobody has thought of it; a row for none is forgotten."""
    assert {each.tag for each in OPERATIONS} == set(BY_TAG)
    assert set(APART) <= set(NAMES)
    for each in OPERATIONS:
        assert isinstance(each.rank, Rank)


def test_ranks_are_shed_in_their_order():
    """What can wait goes first; who pays is refused only by a queue that is full."""
    bounds = [SHED_AT_PCT[rank] for rank in Rank if rank != Rank.KEEP]
    assert bounds == sorted(set(bounds))
    assert bounds[-1] == 100
    for rank in Rank:
        for full_pct in range(101):
            expected = rank != Rank.KEEP and full_pct >= SHED_AT_PCT[rank]
            assert is_shed(rank, full_pct) == expected
    assert not any(is_shed(rank, 0) for rank in Rank)


def test_what_a_channel_tells_is_never_shed():
    """It would come again, hours later; nor is what tells whether we live."""
    kept = {name for name, each in NAMES.items() if each.rank == Rank.KEEP}
    assert "POST /v1/channels/{account}/notices" in kept
    assert {"GET /livez", "GET /readyz", "GET /metrics"} <= kept
    assert not {name for name in kept if "/v1/" in name} - {
        "POST /v1/channels/{account}/notices",
        "POST /v1/channels/{account}/mode",
        "POST /v1/parked-payments/{payment_id}/allocation",
    }


def test_money_outlasts_everything_that_only_looks():
    """Whoever writes with a key moves money; nothing that reads is worth as much."""
    for name, each in NAMES.items():
        if each.is_keyed:
            assert each.rank == Rank.PAY, name
        if each.method == "GET" and each.tag != "sandbox":
            assert each.rank in {Rank.REPORT, Rank.NOTIFY, Rank.LOOK, Rank.KEEP}, name
    assert NAMES["POST /v1/packets/{packet_id}/claims"].rank == Rank.OPEN


def test_whatever_may_be_shed_says_so():
    """In the document that callers read."""
    for name, each in NAMES.items():
        if each.rank != Rank.KEEP:
            assert Code.BUSY in each.codes, name
