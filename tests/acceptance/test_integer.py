"""C12: no float reaches an amount; 2^53 + 1 fen is where a float would first be wrong (整数分)."""

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import law
import lingqian
from acceptance import people
from lingqian.kernel.bound import AMOUNT_FEN_MAX
from world import World

FIRST_WRONG_FEN = 2**53 + 1
CORE = ("kernel", "ledger", "redpacket", "identity", "risk", "compliance", "flows")
around = st.integers(FIRST_WRONG_FEN - 4, FIRST_WRONG_FEN + 10**6)


def carried(amount_fen, read):
    """Pay so much in, transfer it, put it into a packet, open that; return what is then held.

    `read` is what happens to an amount on its way in; ours is nothing.
    """
    world = World(limits=())
    try:
        for name in ("amy", "ben", "cat", "dan"):
            world.do(world.register(name))
        for command in (
            lambda: world.fund("amy", read(amount_fen)),
            lambda: world.transfer("amy", "ben", read(amount_fen)),
            lambda: world.send("p", "ben", total_fen=amount_fen, count=3, share_fen_max=amount_fen),
            lambda: world.claim("p", "amy"),
            lambda: world.claim("p", "cat"),
            lambda: world.claim("p", "dan"),
        ):
            assert world.do(command()).code == 0, "not carried"
        law.all_laws(world.connection)
        return sum(world.balance(name) for name in ("amy", "cat", "dan"))
    finally:
        world.close()


@settings(max_examples=20)
@given(around)
def test_c12_amounts_beyond_the_last_exact_float_are_exact(amount_fen):
    """C12: every fen goes through funding, transfer, split, claims and the law's arithmetic."""
    assert carried(amount_fen, read=lambda fen: fen) == amount_fen


def test_c12_control_one_float_on_the_way_is_seen():
    """Control: the same history with one amount read as a float does not come out even."""
    with pytest.raises(AssertionError, match="not carried"):
        carried(FIRST_WRONG_FEN, read=lambda fen: int(float(fen)))


def floats(text):
    """Return the lines of a program where a float could begin: a literal, `/`, or `float`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
        is_named = isinstance(node, ast.Name) and node.id == "float"
        is_division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if is_float or is_named or is_division:
            found.append(node.lineno)
    return found


def test_c12_the_core_has_no_float_at_all():
    """C12, white box: what decides about money cannot make one by mistake."""
    root = Path(lingqian.__file__).parent
    files = [path for room in CORE for path in (root / room).glob("*.py")]
    assert len(files) > 20, "the rooms have moved"
    assert {path.name: found for path in files if (found := floats(path.read_text()))} == {}
    for line in ("x = 1.5", "x = a / b", "x /= 2", "x = float(a)"):
        assert floats(line) == [1], "the control: what must be found is not"


def test_c12_the_api_is_exact_up_to_its_bound_and_refuses_beyond(crew, server):
    """C12: JSON carries integers; a reader with floats would be wrong from the bound on."""
    (user,) = people.register(crew, server, 1)
    for _ in range(2):
        people.fund(crew, server, [user], AMOUNT_FEN_MAX)
    for amount in (AMOUNT_FEN_MAX + 1, FIRST_WRONG_FEN, 1.0, 2.5, "1", True, None, -1, 0, 2**63):
        body = {"user_id": user, "amount_fen": amount}
        told = server.call("POST", "/v1/sandbox/funding", body)
        assert (told.status, told.body["code"]) == (422, "invalid_field"), amount
    assert people.balance_fen(server, user) == 2 * AMOUNT_FEN_MAX
