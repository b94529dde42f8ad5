"""Every command of the project from a bare Python: `python3 do.py COMMAND [ARGUMENTS]`.

Standard library only. The first call makes an environment beside this file from a lock file with
hashes (with uv when it is installed, else with venv and pip); later calls start at once.
"""

import sys

# Before all else, and in words that an older Python still understands.
if sys.version_info < (3, 11):  # noqa: UP036 - a person may start it with any Python
    sys.exit(
        "Lingqian needs Python 3.11 or newer; this is %d.%d (%s)."  # noqa: UP031 - as above
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent
RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
BIN = "Scripts" if sys.platform == "win32" else "bin"
QUICK = ("unit", "scenario", "property", "contract", "tidy")
LONG_TIMEOUT_S = 6 * 3600
# One order of the tests and one set of drawn examples, so that red means that the change broke
# something; `search` looks further, in another order every time.
SEED = "--randomly-seed=20260101"
# Half of the time of a test goes by in waiting for disks, browsers and clocks: three for two cores.
PYTEST = ("pytest", "--numprocesses=3", "--dist=worksteal", SEED)
# What takes longest is told, so that the suite stays within minutes.
SLOWEST = ("--durations=30", "--durations-min=5")
# Tests against live servers, browsers and brokers keep to the real clock, which a busy machine
# stops at will: a few of them that fail beside all others are run once more, alone (decision 0028).
LIVE = ("acceptance", "api", "browser", "cluster", "crash", "fault", "simulator")
SECOND_LOOKS_MAX = 3
LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"


class Step(NamedTuple):
    """One process to run: a heading, the command line, and what it adds to the surroundings.

    `looks_twice`: it is pytest, and its live tests may have a second look.
    """

    title: str
    line: tuple[str, ...]
    adds: tuple[tuple[str, str], ...] = ()
    looks_twice: bool = False


class Command(NamedTuple):
    """A row of the table below: what it says of itself, the lock it runs on, and its steps."""

    words: str
    lock: str
    plan: Callable[[list[str]], list[Step]]


# --- what each command does ---------------------------------------------------------------------


def lingqian(*words: str) -> Callable[[list[str]], list[Step]]:
    """Run the product's own command line, arguments passed through."""
    return lambda rest: [Step(" ".join(words) or "lingqian", ("lingqian", *words, *rest))]


def tool(title: str, *line: str) -> Callable[[list[str]], list[Step]]:
    """Run one development tool, arguments passed through."""
    return lambda rest: [Step(title, (*line, *rest))]


def tests(folder: str) -> Callable[[list[str]], list[Step]]:
    """Run one folder of tests at the size of the quick test command."""
    return lambda rest: [Step(folder, (*PYTEST, f"tests/{folder}", *rest))]


def full(folder: str) -> Callable[[list[str]], list[Step]]:
    """Run one folder of tests at full size, in one process and with a long bound."""
    line = ("pytest", f"tests/{folder}", f"--timeout={LONG_TIMEOUT_S}")
    adds = ((f"LINGQIAN_{folder.upper()}", "full"),)
    return lambda rest: [Step(folder, (*line, *rest), adds)]


def search(rest: list[str]) -> list[Step]:
    """Plan the suite with examples and an order that were never drawn before."""
    where = rest or ["tests/property", "tests/fuzz", "tests/simulation"]
    line = (*PYTEST, f"--randomly-seed={time.time_ns() % 2**32}", *where)
    return [Step("search", line, (("LINGQIAN_SEARCH", "1"),))]


def lint(rest: list[str]) -> list[Step]:
    """Plan the linter and the check of the format."""
    return [
        Step("lint", ("ruff", "check", *(rest or ["."]))),
        Step("format", ("ruff", "format", "--check", *(rest or ["."]))),
    ]


def fmt(rest: list[str]) -> list[Step]:
    """Plan the safe repairs and the formatter."""
    return [
        Step("repair", ("ruff", "check", "--fix-only", *(rest or ["."]))),
        Step("format", ("ruff", "format", *(rest or ["."]))),
    ]


def everything(rest: list[str]) -> list[Step]:
    """Plan lint, types, import contracts and tests; `--fast` leaves the slower folders out."""
    fast = "--fast" in rest
    quick = [f"tests/{name}" for name in QUICK if (ROOT / "tests" / name).is_dir()] if fast else []
    passed = [word for word in rest if word != "--fast"]
    return [
        *lint([]),
        Step("types", ("mypy",)),
        Step("imports", ("lint-imports",)),
        Step("tests", (*PYTEST, *SLOWEST, "--cache-clear", *quick, *passed), looks_twice=True),
    ]


def check(rest: list[str]) -> list[Step]:
    """Plan all that needs no network and little time."""
    return everything(["--fast", *rest])


COMMANDS = {
    "demo": Command("start a seeded, living world on this machine", RUN_LOCK, lingqian("demo")),
    "test": Command("lint, types, imports and all quick tests [--fast]", DEV_LOCK, everything),
    "check": Command("what needs no network and little time: test --fast", DEV_LOCK, check),
    "run": Command("the command line itself: run key new shop", RUN_LOCK, lingqian()),
    "fmt": Command("repair what is safe to repair, then format", DEV_LOCK, fmt),
    "lint": Command("lint and check the format", DEV_LOCK, lint),
    "type": Command("check the types (mypy strict)", DEV_LOCK, tool("types", "mypy")),
    "imports": Command("check who imports whom", DEV_LOCK, tool("imports", "lint-imports")),
    "tidy": Command("tests of the code base as a text", DEV_LOCK, tests("tidy")),
    "unit": Command("tests of single rooms, no IO", DEV_LOCK, tests("unit")),
    "statistics": Command("the split law at full size", DEV_LOCK, full("statistics")),
    "crash": Command("kills and power cuts at full size", DEV_LOCK, full("crash")),
    "sim": Command("simulated worlds: sim --seed N --commands M", RUN_LOCK, lingqian("simulate")),
    "market": Command(
        "evenings of top-ups with every fault: market --seed N",
        RUN_LOCK,
        lingqian("simulate", "--orders", "100000"),
    ),
    "outage": Command(
        "evenings with an outage, with the degrade path and without: outage --seed N",
        RUN_LOCK,
        lingqian("simulate", "--outage"),
    ),
    "soak": Command(
        "an hour of three phones and forty people, over lines that are cut", DEV_LOCK, full("soak")
    ),
    "festival": Command(
        "a hundred thousand opens while everything below is killed in turn",
        DEV_LOCK,
        full("festival"),
    ),
    "search": Command(
        "tests with examples and an order never drawn before: search [FOLDER…]", DEV_LOCK, search
    ),
    "fuzz": Command("hostile input at full size", DEV_LOCK, full("fuzz")),
    "acceptance": Command(
        "crowds on real sockets, outages and favour at full size", DEV_LOCK, full("acceptance")
    ),
    "bench": Command("measure this machine against the rivals", DEV_LOCK, lingqian("bench")),
    "mutation": Command(
        "remove each guard, one at a time; every removal must turn a test red",
        DEV_LOCK,
        tool("mutation", "python", "tests/mutation/run.py"),
    ),
    "docs": Command(
        "write the generated pages of docs/", DEV_LOCK, tool("docs", "python", "docs/generate.py")
    ),
    "shots": Command(
        "take the pictures of the READMEs in a real Chromium [packet|top-up|phones]",
        DEV_LOCK,
        tool("shots", "python", "docs/shots.py"),
    ),
}
HERE = {"lock": "resolve the lock files again (needs uv) [--upgrade]"}


# --- the environment ----------------------------------------------------------------------------


def key(lock: str) -> str:
    """Name an environment by all that decides what is in it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    tables = [project.get(name) for name in ("project", "build-system", "dependency-groups")]
    digest = hashlib.sha256((ROOT / lock).read_bytes())
    digest.update(json.dumps([str(ROOT), tables], sort_keys=True).encode())
    digest.update(f"{os.path.realpath(sys.executable)} {sys.version} {platform.machine()}".encode())
    return digest.hexdigest()[:12]


def home_of(lock: str) -> Path:
    """Say where the environment of a lock file stands."""
    return ROOT / f".venv-{key(lock)}"


def is_ready(home: Path) -> bool:
    """Say whether an environment was built to its end."""
    return (home / "ready").exists()


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold back a second `do.py` that would build the same environment at the same time."""
    folder = ROOT / ".venv-locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("a+b") as handle:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - does not exist on Windows

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield  # closing the file lets the next one in, and so does the end of the process


def environment(lock: str) -> Path:
    """Return a ready environment for a lock file, and build it when there is none."""
    developer = home_of(DEV_LOCK)
    if is_ready(developer):  # holds all that the product needs, at the same versions
        return developer
    home = home_of(lock)
    if is_ready(home):
        return home
    with alone(home.name):
        if not is_ready(home):
            build(home, lock)
    return home


def build(home: Path, lock: str) -> None:
    """Build an environment from a lock file, with uv when it is there, else with venv and pip."""
    began = time.monotonic()
    uv = shutil.which("uv")
    say(f"Setting up {home.name} from {lock} with {'uv' if uv else 'pip'}, once …")
    if not (uv and run_all(lines_of_uv(uv, home, lock), home)):
        if uv:
            say("uv could not do it; trying venv and pip …")
        if importlib.util.find_spec("ensurepip") is None:
            sys.exit(
                "This Python has no ensurepip. Install it, then try again:\n"
                "    sudo apt install python3-venv"
            )
        if not run_all(lines_of_pip(home, lock), home):
            sys.exit("The environment could not be built; what went wrong stands above.")
    (home / "ready").touch()
    say(f"Ready in {time.monotonic() - began:.0f} s.")


def lines_of_uv(uv: str, home: Path, lock: str) -> list[list[str]]:
    """List what uv has to run."""
    into = [uv, "pip", "install", "--quiet", "--python", str(home / BIN / "python")]
    return [
        [uv, "venv", "--quiet", "--python", sys.executable, str(home)],
        [*into, "--require-hashes", "-r", str(ROOT / lock)],
        [*into, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    ]


def lines_of_pip(home: Path, lock: str) -> list[list[str]]:
    """List what venv and pip have to run."""
    pip = [str(home / BIN / "python"), "-m", "pip", "--disable-pip-version-check"]
    into = [*pip, "install", "--quiet", "--no-warn-script-location"]
    return [
        [sys.executable, "-m", "venv", str(home)],
        [*into, "--require-hashes", "-r", str(ROOT / lock)],
        [*into, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    ]


def run_all(lines: list[list[str]], home: Path) -> bool:
    """Run command lines in a row from an empty folder, up to the first that fails."""
    shutil.rmtree(home, ignore_errors=True)
    return all(subprocess.run(line, check=False).returncode == 0 for line in lines)


# --- running ------------------------------------------------------------------------------------


def say(words: str) -> None:
    """Tell the person something, past the output of the command."""
    print(words, file=sys.stderr, flush=True)


def surroundings(home: Path, step: Step) -> dict[str, str]:
    """Give a step the variables under which it finds the environment's programs first."""
    path = os.pathsep.join([str(home / BIN), os.environ.get("PATH", os.defpath)])
    own = {"VIRTUAL_ENV": str(home), "PATH": path, "PYTHONUTF8": "1"}
    return {**os.environ, **own, **dict(step.adds)}


def become(home: Path, step: Step) -> NoReturn:
    """Turn into the one process of a plan, so that signals and the terminal are its own."""
    around = surroundings(home, step)
    program = shutil.which(step.line[0], path=around["PATH"])
    assert program is not None, f"{step.line[0]} is not in the lock file"
    if sys.platform == "win32":
        sys.exit(subprocess.run([program, *step.line[1:]], env=around, check=False).returncode)
    os.execve(program, [program, *step.line[1:]], around)


def run_steps(home: Path, steps: list[Step]) -> int:
    """Run every step, also after one has failed, and end with a line for each."""
    rows = []
    for step in steps:
        say(f"\n── {step.title}: {' '.join(step.line)}")
        around = surroundings(home, step)
        program = shutil.which(step.line[0], path=around["PATH"])
        assert program is not None, f"{step.line[0]} is not in the lock file"
        began = time.monotonic()
        done = subprocess.run([program, *step.line[1:]], env=around, check=False)
        code = done.returncode
        again: list[str] = []
        shaky = few_live(last_failed()) if step.looks_twice and code == 1 else []
        if shaky:
            say("\nOn the real clock, failed beside all others; once more, alone:")
            files = dict.fromkeys(name.partition("::")[0] for name in shaky)
            line = [program, SEED, "--last-failed", "--last-failed-no-failures=none", *files]
            code = subprocess.run(line, env=around, check=False).returncode
            again = last_failed()
        rows.append((step.title, code, time.monotonic() - began, shaky, again))
    say("")
    for title, code, took_s, shaky, again in rows:
        say(f"{'ok    ' if code == 0 else 'FAILED'} {title} ({took_s:.1f} s)")
        for name in shaky:
            end = "failed alone again" if name in again else "passed alone"
            say(f"       SHAKY: failed once, {end}: {name}")
    return max(abs(row[1]) for row in rows)


def last_failed() -> list[str]:
    """Return the names of the tests that failed in pytest's last run."""
    return sorted(json.loads(LAST_FAILED.read_text("utf-8"))) if LAST_FAILED.exists() else []


def few_live(failed: list[str]) -> list[str]:
    """Return the failed tests when they are few and all on the real clock, else none."""
    roots = tuple(f"tests/{folder}/" for folder in LIVE)
    few = 0 < len(failed) <= SECOND_LOOKS_MAX and all(name.startswith(roots) for name in failed)
    return failed if few else []


def resolve(rest: list[str]) -> int:
    """Write both lock files: names, versions and hashes for every platform, no addresses."""
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("`lock` needs uv: https://docs.astral.sh/uv (or: pip install uv)")
    line = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "pyproject.toml"]
    line += ["--python-version", "3.11", "--custom-compile-command", "python3 do.py lock", *rest]
    for lock, adds in (
        (RUN_LOCK, ["--group", "build"]),
        (DEV_LOCK, ["--group", "dev", "--constraint", RUN_LOCK]),  # the same versions in both
    ):
        done = subprocess.run([*line, *adds, "--output-file", lock], cwd=ROOT, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def usage() -> str:
    """List the commands."""
    rows = {**{name: command.words for name, command in COMMANDS.items()}, **HERE}
    lines = [f"  {name:<11} {words}" for name, words in rows.items()]
    return "\n".join(["python3 do.py COMMAND [ARGUMENTS]", "", *lines])


def main(words: list[str]) -> int:
    """Run the command that was asked for."""
    name, rest = (words[0], words[1:]) if words else ("", [])
    if name in HERE:
        return resolve(rest)
    if name not in COMMANDS:
        say(usage())
        return 0 if name in {"", "help", "-h", "--help"} else 2
    command = COMMANDS[name]
    home = environment(command.lock)
    steps = command.plan(rest)
    if steps[0].line[0] != "lingqian":  # the product reads and writes where the person stands
        os.chdir(ROOT)
    if len(steps) == 1:
        become(home, steps[0])
    return run_steps(home, steps)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
