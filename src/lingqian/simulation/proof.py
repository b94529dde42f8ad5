"""The product's own audit and rebuild, over what a world has left behind.

The auditor's model says what should be; these say whether an operator would notice if it were not.
"""

import apsw

from lingqian.simulation.auditor import Violation
from lingqian.storage.audit import audit
from lingqian.storage.finding import Finding
from lingqian.storage.memory import memory_store
from lingqian.storage.rebuild import compare, fold_journal


def audited(connection: apsw.Connection) -> None:
    """Let the product audit itself.

    Raises: Violation with the first findings.
    """
    found: list[Finding] = []
    audit(connection, heads=None, vault=None, emit=found.append)
    if found:
        raise Violation(f"the product's own audit has {len(found)} findings: {found[:3]}")


def rebuilt(connection: apsw.Connection, name: str) -> None:
    """Fold the journal into an empty store and compare every table.

    Raises: Violation with the first table that differs.
    """
    store = memory_store(name)
    try:
        fold_journal(connection, store, _ignore)
        for check in compare(connection, store.connection):
            if not check.is_equal:
                raise Violation(f"the rebuild differs: {check}")
    finally:
        store.close()


def _ignore(rows: int) -> None:
    """Hear of progress that nobody watches."""
    del rows
