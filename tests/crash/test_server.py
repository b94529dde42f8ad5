"""The database server itself is killed in the middle of its work, and started again."""

import random
import threading

import pytest

import mariadb
from crash.line import Line
from crash.size import BOUND_S, sized

pytestmark = [pytest.mark.needs("mariadb"), pytest.mark.timeout(BOUND_S)]
KILLS = sized(2, 30)


def revived(server, blow):
    """Return what puts the world right: a server that was killed is started again."""

    def mend():
        blow.join()
        if server.process.poll() is not None:
            server.start()

    return mend


def test_server_that_is_killed_loses_nothing_it_has_confirmed():
    """Its log is on disk before it confirms; and what it has not confirmed is asked again."""
    chance = random.Random(2026)
    server = mariadb.Server()
    try:
        line = Line(server.fresh())
        for _ in range(KILLS):
            blow = threading.Timer(chance.uniform(0.0, 0.05), server.kill)
            blow.start()
            mend = revived(server, blow)
            while blow.is_alive():
                line.insist(mend)
            mend()
            line.insist(mend)
        assert sum(line.fates.values()) >= KILLS, "every kill was met"
        line.check()
        line.store.close()
    finally:
        server.stop()
