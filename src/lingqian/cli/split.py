"""The command `lingqian split`: the split law at work, one split a line.

Line k, from 0, is the split of the packet with id 0 under the seed, mixed with k in place of the
sender's 32 bytes; so one seed repeats every line.
"""

import secrets
import sys
from collections.abc import Iterator
from typing import Annotated, NoReturn

import typer

from lingqian.cli.explanation import Sample, explain
from lingqian.redpacket.commitment import HASH_BYTES, PACKET_ID_BYTES, SEED_BYTES, split_key
from lingqian.redpacket.split import (
    COUNT_MAX,
    SPREAD_DEFAULT,
    SPREAD_MAX,
    TOTAL_FEN_MAX,
    VERSION,
    Terms,
    feasible,
    lucky,
)

REPEAT_MAX = 2**32
_LINES = 2048  # written at once: one write a line would cost more than the split


def split(  # noqa: PLR0913 - one argument for each option of the command line
    total: Annotated[int, typer.Argument(help="The total, in fen.")],
    count: Annotated[int, typer.Argument(help=f"The number of shares, 1 to {COUNT_MAX}.")],
    *,
    share_fen_min: Annotated[int, typer.Option("--min", help="The least share, in fen.")] = 1,
    share_fen_max: Annotated[
        int | None, typer.Option("--max", help="The greatest share, in fen; else no cap.")
    ] = None,
    spread: Annotated[
        int,
        typer.Option(
            min=1, max=SPREAD_MAX, help="1 is wild (line cutting), 2 feels like WeChat, 24 even."
        ),
    ] = SPREAD_DEFAULT,
    seed: Annotated[
        str | None, typer.Option(help="32 bytes as hex; else fresh from the system.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, max=REPEAT_MAX, help="How many splits.")] = 1,
    explained: Annotated[
        bool,
        typer.Option(
            "--explain", help="On standard error: what the law promises, beside this sample."
        ),
    ] = False,
) -> None:
    """Split TOTAL fen into COUNT shares by the law of lucky packets, one split a line.

    Amounts are separated by commas; nothing else is printed on standard output.
    """
    high = total if share_fen_max is None else share_fen_max
    if not feasible(total, count, share_fen_min, high):
        _refuse(_why(total, count, share_fen_min, high))
    terms = Terms(
        version=VERSION,
        packet_id=bytes(PACKET_ID_BYTES),
        lucky=True,
        count=count,
        total_fen=total,
        share_fen_min=share_fen_min,
        share_fen_max=high,
        spread=spread,
    )
    splits = _splits(terms, _seed(seed), repeat)
    if explained:
        sample = Sample(terms)
        _print(sample.watch(splits))
        typer.echo(explain(sample), err=True)
    else:
        _print(splits)


def _splits(terms: Terms, seed: bytes, repeat: int) -> Iterator[tuple[int, ...]]:
    for number in range(repeat):
        yield lucky(terms, split_key(terms, seed, number.to_bytes(HASH_BYTES), None))


def _print(splits: Iterator[tuple[int, ...]]) -> None:
    lines: list[str] = []
    for amounts in splits:
        lines.append(",".join(map(str, amounts)))
        if len(lines) == _LINES:
            sys.stdout.write("\n".join(lines) + "\n")
            lines.clear()
    if lines:
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _seed(text: str | None) -> bytes:
    if text is None:
        return secrets.token_bytes(SEED_BYTES)
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        _refuse(f"--seed is {SEED_BYTES} bytes as {2 * SEED_BYTES} hex digits")
    return seed


def _why(total: int, count: int, low: int, high: int) -> str:
    if not 1 <= count <= COUNT_MAX:
        return f"COUNT is 1 to {COUNT_MAX}, not {count}"
    if total < 0 or total > TOTAL_FEN_MAX:
        return f"TOTAL is 0 to {TOTAL_FEN_MAX} fen, not {total}"
    if low < 0 or low > high:
        return f"--min {low} is negative or above --max {high}"
    return (
        f"{total} fen cannot be {count} shares of {low} to {high} fen: "
        f"the total would be {count * low} to {count * high}"
    )


def _refuse(why: str) -> NoReturn:
    typer.echo(f"lingqian split: {why}", err=True)
    raise typer.Exit(2)
