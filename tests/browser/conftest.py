"""A real Chromium as a phone, and a real demo behind it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from need import needs

STOP_S = 30
DOOR = re.compile(r"page +(http://127\.0\.0\.1:\d+)/demo")
KEY = re.compile(r"KEY=(lq_\S+)")

# What is awaited comes at once, and later on a machine that has other things to do.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def chromium():
    """Start the machine's own Chromium; as root it refuses its sandbox."""
    program = needs("chromium")
    sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=sandbox)
        yield browser, driver.devices["Pixel 7"]
        browser.close()


@pytest.fixture
def page(chromium):
    """Open a page on a phone of ordinary size, in Chinese."""
    browser, phone = chromium
    context = browser.new_context(**phone, locale="zh-CN")
    yield context.new_page()
    context.close()


@pytest.fixture
def faults(page):
    """Collect everything the page complains about."""
    heard = []
    page.on("console", lambda said: heard.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


class Demo:
    """A running demo: where it is, its key, and its process."""

    def __init__(self, process, base, key):
        self.process = process
        self.base = base
        self.key = key


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run `lingqian demo` until the module's tests are done, then stop it as a person would."""
    needs("chromium")
    folder = tmp_path_factory.mktemp("demo") / "world"
    program = Path(sys.executable).with_name("lingqian")
    process = subprocess.Popen(
        [program, "demo", "--headless", "--port", "0", "--data", folder, "--seconds", "1200"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "300"},
    )
    try:
        heard = began(process)
        yield Demo(process, DOOR.search(heard)[1], KEY.search(heard)[1])
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=STOP_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, rest
    assert "THE LEDGER IS WRONG" not in rest
    for check in (["audit"], ["rebuild", "--check"]):
        subprocess.run([program, *check, "--data", folder], check=True, timeout=STOP_S)


def began(process):
    """Read what a demo prints until it has said where it is and what its key is."""
    heard = ""
    while not (DOOR.search(heard) and KEY.search(heard)):
        line = process.stdout.readline()
        assert line, f"the demo ended before it began: {heard}"
        heard += line
    return heard
