"""Remove each guard, one at a time; the tests named beside it must turn red.

    python3 do.py mutation [WORDS …]     only mutants whose file or text holds one of the words

Each mutant lives in a copy of `src` that only its own test process sees. A guard whose removal no
test notices is printed, and the exit code is 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutant import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300
# The control is green within the bound, so a run that meets it was made endless by its mutant.
CAUGHT, HUNG, SURVIVED = "caught", "endless", "SURVIVED"
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
# Loading every plugin of the environment would take longer than the tests of most mutants.
PLUGINS = ("-p", "pytest_timeout", "--timeout=120")


def run_tests(source: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests against a copy of the source; never against the installed one."""
    own = {"PYTHONPATH": str(source), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    around = {**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"}
    where, _, words = tests.partition(" -k ")
    line = [*PYTEST, *PLUGINS, *where.split(), *(["-k", words] if words else [])]
    return subprocess.run(
        line, cwd=ROOT, env=around, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def copied(folder: str) -> Path:
    """Copy the source; a check that tests really read the copy is the control of `main`."""
    source = Path(folder) / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    return source


def verdict(mutant: Mutant) -> str:
    """Say whether the tests beside a mutant fail without its guard, or never come to an end."""
    with tempfile.TemporaryDirectory() as folder:
        source = copied(folder)
        path = source / "lingqian" / mutant.file
        text = path.read_text("utf-8")
        assert text.count(mutant.text) == 1, f"{mutant.file} has not exactly one {mutant.text!r}"
        path.write_text(text.replace(mutant.text, mutant.instead), "utf-8")
        try:
            done = run_tests(source, mutant.tests)
        except subprocess.TimeoutExpired:
            return HUNG
    # 1: a test failed. Anything else (no test chosen, nothing loads) says nothing of the guard.
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return CAUGHT if done.returncode else SURVIVED


def control(mutants: list[Mutant]) -> None:
    """Prove that an untouched copy is green, and that it is the copy that runs."""
    with tempfile.TemporaryDirectory() as folder:
        source = copied(folder)
        for tests in sorted({mutant.tests for mutant in mutants}):
            done = run_tests(source, tests)
            assert done.returncode == 0, f"{tests} is red without any mutant:\n{done.stdout}"
        (source / "lingqian" / "kernel" / "code.py").write_text("assert False\n", "utf-8")
        assert run_tests(source, mutants[0].tests).returncode != 0, "the copy is not what runs"


def main(words: list[str]) -> int:
    """Run the control and every mutant that was asked for; print the survivors."""
    chosen = [
        each
        for each in MUTANTS
        if not words or any(word in each.file + each.text for word in words)
    ]
    control(chosen)
    survivors = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for number, (mutant, mark) in enumerate(
            zip(chosen, pool.map(verdict, chosen), strict=True), start=1
        ):
            if mark == SURVIVED:
                survivors.append(mutant)
            say(f"{number:3}/{len(chosen)} {mark:8} {mutant.file}: {shown(mutant)}")
    say(f"{len(chosen) - len(survivors)} of {len(chosen)} removals turned a test red")
    return 1 if survivors else 0


def say(words: str) -> None:
    """Tell the person something at once."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def shown(mutant: Mutant) -> str:
    """Write a mutant on one line: what is removed and what is put instead."""
    old, new = mutant.text.splitlines(), mutant.instead.splitlines()
    gone = " ⏎ ".join(line.strip() for line in old if line not in new)
    here = " ⏎ ".join(line.strip() for line in new if line not in old)
    return f"{gone}  →  {here or 'nothing'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
