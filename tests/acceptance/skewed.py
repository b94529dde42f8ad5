"""The product with a system clock that is off: `skewed.py FILE serve …`; FILE says by how many s.

A real step would move the clock of the whole machine. The file is read at every look at the clock,
so that it can be stepped while the server runs.
"""

import sys
import time
from pathlib import Path

from lingqian import compose
from lingqian.cli.main import main
from lingqian.storage.clock import BusinessClock


class SkewedClock(BusinessClock):
    """The business clock over a system clock that somebody has set wrong."""

    skew = Path(sys.argv[1])

    def now_us(self):
        """Return microseconds since 1970 UTC, as the wrong clock has them."""
        return time.time_ns() // 1_000 + int(self.skew.read_text()) * 1_000_000 + self.offset_us


if __name__ == "__main__":
    del sys.argv[1]
    compose.BusinessClock = SkewedClock
    main()
