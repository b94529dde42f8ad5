"""A crew of client processes: many people at once, on real sockets (客户端).

Run as a program it is one of them: it reads jobs from its input, one JSON line each, and writes
one line of answers. A job is a list of calls with the instant at which each is to be sent.
"""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import aiohttp

HEAD_START_S = 0.15
CALL_S = 60
AGAIN_S = 0.5
LATER = (0, 429, 503)


class Call(NamedTuple):
    """One request: `at_s` after the job's start, or at `clock_s` since 1970 when that is given.

    With patience it is sent again, under its key, while the server is away or busy.
    """

    method: str
    path: str
    body: dict | None = None
    key: str = ""
    at_s: float = 0.0
    clock_s: float = 0.0
    patience_s: float = 0.0


class Told(NamedTuple):
    """What a caller was told: 0 is a connection that broke; times are seconds since 1970."""

    status: int
    body: dict
    sent_s: float
    got_s: float
    retry_after: str = ""


class Crew:
    """So many client processes, kept warm between jobs."""

    def __init__(self, size):
        line = [sys.executable, __file__]
        self.processes = [
            subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(size)
        ]

    def ask(self, target, calls):
        """Have the calls made, dealt out among the processes; answers in the order of the calls."""
        hands = len(self.processes)
        start_s = time.time() + HEAD_START_S
        for place, process in enumerate(self.processes):
            job = {"url": target.url, "key": target.key, "start_s": start_s}
            job["calls"] = [each._asdict() for each in calls[place::hands]]
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        told = [None] * len(calls)
        for place, process in enumerate(self.processes):
            line = process.stdout.readline()
            assert line, "a client process has died"
            told[place::hands] = [Told(*each) for each in json.loads(line)]
        return told

    def good(self, target, calls):
        """Have the calls made and return what they were told; each must be a 2xx."""
        told = self.ask(target, calls)
        bad = [each for each in told if not 200 <= each.status < 300]
        assert not bad, bad[:3]
        return [each.body for each in told]

    def close(self):
        """Send them home."""
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait(10)
            process.stdout.close()


@contextmanager
def crew_of(size):
    """Have a crew for the length of a block."""
    crew = Crew(size)
    try:
        yield crew
    finally:
        crew.close()


async def make(session, job, call):
    """Make one call at its time, again and again while there is patience."""
    url = job["url"] + call["path"]
    headers = {"Authorization": f"Bearer {job['key']}"}
    if call["method"] == "POST":
        headers["Idempotency-Key"] = call["key"] or secrets.token_hex(16)
    due_s = call["clock_s"] or job["start_s"] + call["at_s"]
    await asyncio.sleep(max(0.0, due_s - time.time()))
    end_s = time.time() + call["patience_s"]
    while True:
        told = await once(session, call, url, headers)
        if told.status not in LATER or time.time() > end_s:
            return told
        await asyncio.sleep(AGAIN_S)


async def once(session, call, url, headers):
    """Send a request once; a broken connection is an answer too."""
    sent_s = time.time()
    try:
        request = session.request(call["method"], url, json=call["body"], headers=headers)
        async with request as answer:
            text = await answer.read()
            is_json = "json" in answer.content_type
            body = json.loads(text) if is_json else {"text": text.decode()}
            after = answer.headers.get("Retry-After", "")
            return Told(answer.status, body, sent_s, time.time(), after)
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        return Told(0, {"error": repr(error)}, sent_s, time.time())


async def work():
    """Do jobs until the input ends."""
    loop = asyncio.get_running_loop()
    timeout = aiohttp.ClientTimeout(total=CALL_S)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            job = json.loads(line)
            told = await asyncio.gather(*[make(session, job, call) for call in job["calls"]])
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(work())
