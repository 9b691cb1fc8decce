"""What every benchmark shares: where it ran, and how its numbers are stored."""

import json
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
VERSIONS = ("torch", "numpy", "libigl", "numba")


def table(title: str, columns: list[str], rows: list[list[Any]]) -> dict:
    """One table of a result: as many cells a row as columns; a cell is str, int, float, bool or None."""
    if any(len(row) != len(columns) for row in rows):
        raise ValueError(f"{title}: every row needs {len(columns)} cells")
    return {"title": title, "columns": columns, "rows": rows}


def write_result(name: str, title: str, tables: list[dict], notes: list[str] | None = None) -> Path:
    """Write benchmarks/results/NAME.json, and with it its chapter of docs/results.md.

    tables: made by `table`; notes: whole sentences, shown above the tables.
    """
    result = {
        "title": title,
        "command": command(),
        "machine": machine(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit(),
        "notes": notes or [],
        "tables": tables,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, default=_plain) + "\n")
    render()
    return path


def render() -> None:
    """Make docs/results.md anew from all stored results."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "results.py")], check=True)


def command() -> str:
    """The command that is running, relative to the repository."""
    script = os.path.relpath(Path(sys.argv[0]).resolve(), ROOT)
    return " ".join(["python", script, *sys.argv[1:]])


def commit() -> str:
    """The commit that is checked out, with a plus sign where the package differs from it; empty outside git."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--", "src") else "")


def machine() -> dict:
    """Processor, cores this process may use, memory in GiB, and the versions that matter to speed."""
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gib": memory_gib(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONS},
    }


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _plain(value: Any) -> Any:
    """numpy and torch scalars as Python's own."""
    return value.item()
