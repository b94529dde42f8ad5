"""The listener of a festival: follows every lane's events, as a service of somebody's own would.

Run as a program it reads its job from the first line of its input, and follows until the input
ends. It has the bus alone: no database, no process of ours to ask.   Units: seconds.
"""

import json
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import msgspec

sys.path.append(str(Path(__file__).parent.parent))

from festival.memory import Heard, Notebook, raw
from lingqian.events.kafka.bus import KafkaBus
from lingqian.events.kafka.setting import KafkaRow
from lingqian.kernel.fault import Unsent
from lingqian.kernel.id import PREFIX_USER
from lingqian.kit.follow import Follower, Mark

WAIT_S = 0.2
AGAIN_S = 0.2


def heard(followed):
    """Return what is written down of an event: where it stands, what it says, who has what now."""
    told = followed.event["data"].get("balances", [])
    balances = [[raw(PREFIX_USER, each["user_id"]), each["amount_fen"]] for each in told]
    return Heard(*followed[:3], digest(followed.event), balances)


def digest(event):
    """Return a digest of all that an event says, but for which installation says it."""
    return sha256(msgspec.json.encode({**event, "source": ""})).hexdigest()[:16]


def follow(follower, notebook, is_over):
    """Write down whatever comes; while nothing can be heard, try again."""
    while not is_over.is_set():
        try:
            notebook.note(*map(heard, follower.take(WAIT_S)))
        except Unsent:
            time.sleep(AGAIN_S)


def wait_for_end(is_over):
    """Wait until nobody speaks to us any more."""
    sys.stdin.read()
    is_over.set()


def main():
    """Do one job."""
    job = json.loads(sys.stdin.readline())
    bus = KafkaBus(KafkaRow(**job["kafka"]))
    follower = Follower(bus, dict.fromkeys(range(job["lanes"]), Mark()))
    notebook = Notebook(Path(job["notebook"]))
    is_over = threading.Event()
    threading.Thread(target=wait_for_end, args=(is_over,), daemon=True).start()
    follow(follower, notebook, is_over)
    notebook.close()
    follower.close()
    bus.close()


if __name__ == "__main__":
    main()
