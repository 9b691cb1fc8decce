"""Where a run happened: enough to tell later why two runs differ."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("isofield", "torch", "numpy", "scipy", "numba", "libigl", "trimesh", "safetensors")


def environment(seed: int | None = None) -> dict[str, Any]:
    """Versions, machine, device, threads, seed and (in a git checkout) commit, as JSON.

    Equal bytes are promised only where all of this is equal, the number of threads included.
    """
    import torch

    cuda = torch.cuda.is_available()
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "seed": seed,
        "commit": commit(Path(__file__).parent),
    }


def commit(folder: Path) -> str | None:
    """The git commit of a folder whose files are tracked, with "-dirty" after it where they were changed; or None."""
    try:
        tracked = _git(folder, "ls-files", "--", ".")
        return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") if tracked else None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
