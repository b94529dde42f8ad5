"""`lingqian simulate --outage`: evenings with an outage, with the degrade path and without it."""

import time
from typing import Any, Final

import typer

from lingqian.simulation.outage import ALL_STEPS, Evening, Outcome, ceiling_ppm, evening

# How long nothing of the channel can be reached, in seconds: the drill, and one that is longer.
BLACKOUTS_S: Final = (60, 180)
BAR_PPM: Final = 998_000


def run(seed: int, taps: int) -> dict[str, Any]:
    """Live through the same evenings with the degrade path and without it."""
    began, cpu_began = time.monotonic(), time.process_time()
    rows = [_row(seed, taps, blackout_s) for blackout_s in BLACKOUTS_S]
    return {
        "seed": seed,
        "taps": taps,
        "bar_ppm": BAR_PPM,
        "evenings": rows,
        "took_s": round(time.monotonic() - began, 1),
        "cpu_s": round(time.process_time() - cpu_began, 1),
    }


def _row(seed: int, taps: int, blackout_s: int) -> dict[str, Any]:
    typer.echo(f"an evening of {taps:,} taps, {blackout_s} s of it without any channel", err=True)
    whole, bare = (
        Evening(seed, evening(taps, blackout_s, steps)).run() for steps in (ALL_STEPS, frozenset())
    )
    return {
        "blackout_s": blackout_s,
        "with": _outcome(whole),
        "without": _outcome(bare),
        "ceiling_ppm": ceiling_ppm(blackout_s),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "succeeded": outcome.succeeded,
        "success_ppm": outcome.success_ppm,
        "prompt_ppm": outcome.prompt_ppm,
        "by": dict(sorted(outcome.by.items())),
    }


def words(summary: dict[str, Any]) -> str:
    """Say it to a person."""
    told = "{taps:,} taps in four hours, seed {seed}; {took_s} s, of which {cpu_s} s of one core.\n"
    told = told.format_map(summary)
    for row in summary["evenings"]:
        told += f"\n{row['blackout_s']} s without any channel:\n"
        for name in ("with", "without"):
            each = row[name]
            told += (
                f"  {_percent(each['success_ppm'])} {name} the degrade path, "
                f"{_percent(each['prompt_ppm'])} within two minutes of the tap\n"
            )
            told += "".join([f"{count:>11,}  {how}\n" for how, count in each["by"].items()])
        told += (
            f"  {_percent(row['ceiling_ppm'])} can be expected of it: whoever has neither money in "
            "the wallet nor a history cannot be served while nothing answers\n"
        )
    return told


def _percent(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


def missed(summary: dict[str, Any]) -> bool:
    """Say whether the drill itself, its shorter blackout, stays below the bar."""
    ppm: int = summary["evenings"][0]["with"]["success_ppm"]
    return ppm < BAR_PPM
