"""What a pass was made on: versions, the processor, its setting, the day."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from recsys.book.inputs import SETTING
from recsys.book.side_by_side import cores
from recsys.book.studies import COMPUTING, installed


def machine() -> dict:
    """Of this machine, without a name or a path of it."""
    versions = {package: installed(package) for package in sorted(COMPUTING.values())}
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "setting": os.environ.get(SETTING, "native"),
        "versions": {"Python": platform.python_version(), **versions},
    }


def processor() -> str:
    """The maker's name of the processor, or what the system calls its kind."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text("utf-8").splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return next(iter(names), platform.processor() or platform.machine())
