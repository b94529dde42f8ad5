"""What must hold of a rush on packets, said once and held against ours and the rivals alike."""

from typing import NamedTuple


class Book(NamedTuple):
    """A packet's books: claims are (person, fen, µs), returned is every amount sent back."""

    total_fen: int
    claims: list
    returned: list
    expires_us: int


def all_shares_once(told, *, count, total_fen):
    """Exactly the shares there are, to as many people; everybody else is told that it is over."""
    taken = [each.body for each in told if each.status in {200, 201}]
    over = [each for each in told if each.status == 409]
    assert len(taken) == count, f"{len(taken)} shares were given of {count}"
    assert all(each.body["code"] == "packet_finished" for each in over), "an unclean refusal"
    assert len(taken) + len(over) == len(told), "somebody got neither a share nor a clean no"
    assert sum(each["amount_fen"] for each in taken) == total_fen, "the shares are not the total"
    assert sorted(each["index"] for each in taken) == list(range(1, count + 1)), "a share twice"


def nobody_turned_away(told):
    """While there are shares, everybody who comes gets one."""
    away = [each for each in told if each.status != 201]
    assert not away, f"{len(away)} of {len(told)} were turned away: {away[0].status}"


def one_claim_whatever_the_clicks(told):
    """However often a person taps, there is one share and one answer."""
    first = [each for each in told if each.status == 201]
    assert len(first) == 1, f"{len(first)} first answers"
    assert all(each.body == first[0].body for each in told), "two answers that differ"
    assert all(each.status == 200 for each in told if each is not first[0]), "an unclean repeat"


def one_of_two(pair):
    """One share, two people: one has it, the other is told so; return whether the earlier won."""
    statuses = sorted(each.status for each in pair)
    assert statuses == [201, 409], f"the last share was given by {statuses}"
    return min(pair, key=lambda each: each.sent_s).status == 201


def funded_is_claimed_and_returned(book):
    """Every fen of a packet went out once: to a claimer before expiry, or back, once."""
    claimed = sum(fen for _, fen, _ in book.claims)
    assert len([fen for fen in book.returned if fen]) <= 1, f"returned twice: {book.returned}"
    returned = sum(book.returned)
    assert claimed + returned == book.total_fen, f"{claimed} + {returned} != {book.total_fen}"
    late = [at_us for _, _, at_us in book.claims if at_us >= book.expires_us]
    assert not late, f"a claim is stamped {max(late) - book.expires_us} µs after expiry"
