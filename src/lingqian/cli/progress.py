"""Progress of long work, on standard error, so that standard output stays for the answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lingqian.compose import KEYS
from lingqian.storage.vault import Vault, has_root, open_vault

# What is being done, how much of it is done, and how much there is.
Tick = Callable[[str, int, int], None]


@contextmanager
def progress(*, is_shown: bool) -> Iterator[Tick]:
    """Show a bar for each kind of work that reports itself."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    is_hidden = not (is_shown and console.is_terminal)
    with Progress(*columns, console=console, transient=True, disable=is_hidden) as bars:
        tasks: dict[str, TaskID] = {}

        def tick(words: str, done: int, total: int) -> None:
            if words not in tasks:
                tasks[words] = bars.add_task(words, total=total)
            bars.update(tasks[words], completed=done, total=total)

        yield tick


def keys_of(folder: Path) -> Vault | None:
    """Open a data directory's keys; None when it has none: looking must never make any."""
    keys = folder / KEYS
    return open_vault(keys) if has_root(keys) else None
