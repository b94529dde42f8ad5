"""How much a run does: every count in one place (规模)."""

from typing import Final, NamedTuple


class Scale(NamedTuple):
    """Counts of one run.

    `rounds` is how many samples stand behind each bar; `history` is thousands of transfers, with
    half as many claims, that lie in the file before the raw bound is taken. `notices` are made by
    the simulator; `payments` are made `payments_per_s`, twice. `passages` are gone through of each
    kind on the phone; `visitors` is how many simulated people live how many days.
    """

    name: str
    people: int
    rounds: int
    history: int
    transfers: int
    packets: int
    batches: tuple[int, ...]
    callers: int
    calls: int
    reads: int
    claimers: int
    rows_locked: int
    locked_s: float
    grown: int
    requests: int
    notices: int
    payments: int
    payments_per_s: int
    passages: int
    visitors: tuple[int, int]


FULL: Final = Scale(
    name="full",
    people=20_000,
    rounds=5,
    history=100,
    transfers=10_000,
    packets=200,
    batches=(1, 4, 16, 64, 256, 1_024, 4_096),
    callers=64,
    calls=12_800,
    reads=20_000,
    claimers=20_000,
    rows_locked=10_000,
    locked_s=5.0,
    grown=200_000,
    requests=20_000,
    notices=2_560,
    payments=600,
    payments_per_s=20,
    passages=40,
    visitors=(600, 30),
)
QUICK: Final = FULL._replace(
    name="quick",
    people=4_000,
    rounds=3,
    history=20,
    transfers=3_000,
    packets=60,
    batches=(1, 64, 1_024),
    calls=3_200,
    claimers=4_000,
    reads=4_000,
    locked_s=2.0,
    grown=30_000,
    requests=4_000,
    notices=768,
    payments=200,
    payments_per_s=20,
    passages=6,
    visitors=(120, 10),
)
# For the project's own tests: everything happens, nothing is a figure.
TINY: Final = FULL._replace(
    name="tiny",
    people=200,
    rounds=1,
    history=1,
    transfers=200,
    packets=10,
    batches=(1, 64),
    callers=8,
    calls=64,
    reads=50,
    claimers=150,
    rows_locked=50,
    locked_s=0.3,
    grown=300,
    requests=50,
    notices=64,
    payments=20,
    payments_per_s=10,
    passages=1,
    visitors=(8, 1),
)
