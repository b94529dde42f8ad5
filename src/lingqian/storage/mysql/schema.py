"""Schema steps over the MySQL protocol, where a change of a table cannot be taken back (迁移).

Law: a step is one statement, is safe to run twice, and is written down with its digest after it has
run. A crash between the two costs nothing: the step says by its error that it was done.
"""

from hashlib import sha256
from importlib import resources
from typing import Final, NamedTuple

from pymysql.err import Error  # type: ignore[import-untyped]  # the driver has no types

from lingqian.kernel.fault import Damaged
from lingqian.storage.mysql.link import Link
from lingqian.storage.mysql.meaning import code_of

# Table, column, index or key is there already, or is gone already.
DONE_ALREADY: Final = frozenset({1050, 1060, 1061, 1068, 1091})
CREATE_STEPS: Final = (
    "CREATE TABLE IF NOT EXISTS schema_steps (number BIGINT NOT NULL, place BIGINT NOT NULL, "
    "digest VARBINARY(32) NOT NULL, PRIMARY KEY (number, place))"
)
SELECT_STEPS: Final = "SELECT number, place, digest FROM schema_steps"
PUT_STEP: Final = (
    "INSERT INTO schema_steps (number, place, digest) VALUES (?, ?, ?) "
    "ON DUPLICATE KEY UPDATE digest = VALUES(digest)"
)


class Step(NamedTuple):
    """One statement of a numbered file: the file's number, the place in it, name and text."""

    number: int
    place: int
    name: str
    text: str

    @property
    def digest(self) -> bytes:
        """Return the digest of the text as it is sent, its remarks left out."""
        return sha256(self.text.encode()).digest()


def steps() -> list[Step]:
    """Return every step in order."""
    folder = resources.files("lingqian.storage.mysql.migration")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Step(int(name[:4]), place, name, text)
        for name in files
        for place, text in enumerate(_statements((folder / name).read_text("utf-8")), 1)
    ]


def _statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [each.strip() for each in "\n".join(lines).split(";") if each.strip()]


def missing(link: Link) -> list[Step]:
    """Return the steps that a database lacks, in order; looks only.

    Raises: Damaged when the database is newer than this program, or grew by other steps; what the
    driver raises, as when there is no database of ours at all.
    """
    done = {tuple(row[:2]): row[2] for row in link.execute(SELECT_STEPS)}
    known = steps()
    newest = max((number for number, _ in done), default=0)
    if newest > known[-1].number:
        raise Damaged(f"the database has schema {newest}; this program knows {known[-1].number}")
    for step in known:
        if done.get((step.number, step.place), step.digest) != step.digest:
            raise Damaged(f"step {step.place} of {step.name} was another one when it ran here")
    return [step for step in known if (step.number, step.place) not in done]


def migrate(link: Link) -> list[str]:
    """Bring a database to the newest schema, step by step; return the files that did something.

    Raises: as `missing`.
    """
    link.execute(CREATE_STEPS)
    fresh = missing(link)
    for step in fresh:
        _run(link, step)
    return sorted({step.name for step in fresh})


def _run(link: Link, step: Step) -> None:
    try:
        link.execute(step.text)
    except Error as error:
        if code_of(error) not in DONE_ALREADY:
            raise
    link.execute(PUT_STEP, (step.number, step.place, step.digest))
