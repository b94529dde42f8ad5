"""Inflows: what one person has topped up on a business day, for the reviewed sum (当日充值累计).

Law (AML-1): credited + held + payable of one person and day above the bound is reviewed; exactly
the bound passes.   Units: fen; Shanghai days.
"""

from dataclasses import dataclass

from lingqian.kernel.bound import REVIEW_DAY_FEN


@dataclass(slots=True)
class Inflow:
    """One person's proven top-ups of one day, counted in the transaction that proves them."""

    day: int = 0
    day_fen: int = 0


def day_fen_with(inflow: Inflow | None, amount_fen: int, day: int) -> int:
    """Return what a day's sum would be with one more top-up."""
    known = inflow.day_fen if inflow is not None and inflow.day == day else 0
    return known + amount_fen


def is_reviewed(inflow: Inflow | None, amount_fen: int, day: int) -> bool:
    """Say whether one more top-up takes the day's sum above the bound."""
    return day_fen_with(inflow, amount_fen, day) > REVIEW_DAY_FEN


def count_inflow(inflow: Inflow, amount_fen: int, day: int) -> None:
    """Add one proven top-up, starting a new day where one has begun; an older day is past."""
    if day > inflow.day:
        inflow.day, inflow.day_fen = day, 0
    if day == inflow.day:
        inflow.day_fen += amount_fen
