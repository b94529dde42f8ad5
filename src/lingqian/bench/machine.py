"""The machine a run was made on, so that a figure is never read without it (机器)."""

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Final

import apsw

_SYNCS: Final = 200
_PAGE: Final = 4_096


def describe(folder: Path) -> dict[str, str]:
    """Return the processor, system, Python, SQLite and file system under a folder."""
    return {
        "cpu": _cpu(),
        "cores": str(os.cpu_count() or 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": f"{apsw.sqlite_lib_version()} (apsw {metadata.version('apsw')})",
        "file_system": _file_system(folder),
        "load_before": _load(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of the file system a folder lies on; the longest mount point wins."""
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    except OSError:
        return "unknown"
    place = str(folder.resolve())
    best, kind = "", "unknown"
    for line in lines:
        _, point, name = line.split()[:3]
        inside = point in ("/", place) or place.startswith(point + "/")
        if inside and len(point) >= len(best):
            best, kind = point, name
    return kind


def _load() -> str:
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"


def fsync_p50_us(folder: Path) -> float:
    """Return how long this disk takes to make one page durable, half of the times."""
    path = folder / "fsync.probe"
    laps = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(_PAGE))
            began = time.perf_counter()
            os.fsync(file.fileno())
            laps.append(time.perf_counter() - began)
    path.unlink()
    return median(laps) * 1e6


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used, all its threads, system calls included."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def since_s(pid: int, before_s: float) -> float:
    """Return the processor time a process has used since, a tick at least: less is not told."""
    return max(cpu_s(pid) - before_s, 1 / os.sysconf("SC_CLK_TCK"))


def threads_s(pid: int) -> float:
    """Return the processor time of all the threads that a process has now, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text("ascii").split()[0]) for each in threads) / 1e9
