"""The speed table: ours beside its peers, as ratios measured in one run.

``make bench``, or ``python bench/run.py [GROUP ...]`` for some of the groups of
speed_rows.py, which are then printed and not written. Everything runs on one thread.
The exit status says whether the table was made, not whether the bars were met: timings
are never a test.
"""

import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
for name in THREADS:  # read by the libraries while they load, here and in the peers' processes
    os.environ[name] = "1"

import importlib.metadata  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from datetime import date  # noqa: E402
from pathlib import Path  # noqa: E402

from environments import BENCH  # noqa: E402
from speed_measure import compare  # noqa: E402
from speed_rows import GROUPS  # noqa: E402

from recsys.data import DataError  # noqa: E402

RESULTS = BENCH / "results"


def measured(names: list[str]) -> list[dict]:
    """Every row of the named groups, each printed as soon as it is there."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as folder:
        for name in names:
            try:
                for comparison in GROUPS[name](Path(folder)):
                    rows.append(compare(comparison))
                    print(line(rows[-1]), flush=True)
            except DataError as error:
                about = {"name": name, "ours": "ours", "peer": "all", "timed": "", "bar": None, "met": None}
                rows.append(about | {"problem": f"data not at hand: {str(error).splitlines()[0]}"})
                print(line(rows[-1]), flush=True)
    return rows


def duration(seconds: float) -> str:
    """Three digits, in milliseconds below one second."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def as_ratio(ratio: dict) -> str:
    """Median and range in whole digits: no powers of ten below a thousand."""
    return "{median:.3g} ({min:.3g} to {max:.3g})".format(**ratio)


def cells(row: dict) -> list[str]:
    """Both sides and their ratio as text."""
    if "ratio" not in row:
        return [row["ours"], row["peer"], "not measured: " + row["problem"]]
    ratio = as_ratio(row["ratio"])
    if row["bar"] and row["bar"]["of"] == "beyond":
        ratio = "{median:.3f} s beyond ({min:.3f} to {max:.3f})".format(**row["beyond"])
    if row["problem"]:
        ratio = f"{ratio}; {row['problem']}"
    ours = f"{row['ours']}: {duration(row['ours_seconds']['median'])}"
    peer = f"{row['peer']}: {duration(row['peer_seconds']['median'])}"
    return [ours, peer, ratio]


def line(row: dict) -> str:
    """One row for a terminal, with the bar that was set for it."""
    met = {None: "", True: "met", False: "NOT met"}[row["met"]]
    bar = f"{row['bar']['words']}: {met}" if row["bar"] else ""
    return " | ".join(cell for cell in (row["name"], *cells(row), bar) if cell)


def processor() -> str:
    """The maker's name of the processor, where Linux tells it."""
    told = Path("/proc/cpuinfo")
    if not told.exists():
        return platform.processor() or platform.machine()
    names = [line for line in told.read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def machine(load_before: tuple[float, ...]) -> dict:
    """What the table was measured on."""
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "processors": os.cpu_count(),
        "threads": 1,
        "load_before": round(load_before[0], 2),
        "load_after": round(os.getloadavg()[0], 2),
        "recsys": importlib.metadata.version("recsys"),
    }


def group(name: str, rows: list[dict]) -> list[str]:
    """What was compared, its table, and what is in the time of each row."""
    titles = ["ours", "peer", "ours / peer: median (least to most)"]
    lines = [f"**{name}**", "", "| " + " | ".join(titles) + " |", "|---|---|--:|"]
    lines += ["| " + " | ".join(cell.replace("|", "/") for cell in cells(row)) + " |" for row in rows]
    timed: dict[str, list[str]] = {}
    for row in rows:
        if row["timed"]:
            timed.setdefault(row["timed"], []).append(f"{row['ours']} and {row['peer']}")
    told = [f"- {'; '.join(pairs)}: {what}." for what, pairs in timed.items()]
    return [*lines, "", "In the time:", "", *told, ""]


def markdown(rows: list[dict], about: dict) -> str:
    """The tables for a chapter: no heading, a legend above."""
    groups: dict[str, list[dict]] = {}
    versions = {}
    for row in rows:
        groups.setdefault(row["name"], []).append(row)
        for side in row.get("versions", {}).values():
            versions |= side
    return "\n".join(
        [
            f"Medians of turns taken by the two sides in one run, one thread each, Python {about['python']}, "
            f"{about['system']}, {about['processors']} processors, load {about['load_before']} before and "
            f"{about['load_after']} after. A ratio below 1 means that ours is faster. Versions: "
            + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
            + ".",
            "",
            *(one for name, together in groups.items() for one in group(name, together)),
        ]
    )


def main(names: list[str]) -> int:
    """Measure, print, and write when every group was measured."""
    unknown = set(names) - set(GROUPS)
    if unknown:
        print(f"unknown group {sorted(unknown)[0]!r}; expected some of: {', '.join(GROUPS)}")
        return 2
    load_before = os.getloadavg()
    rows = measured(names or list(GROUPS))
    missed = [f"{row['name']}: {row['peer']}" for row in rows if row["met"] is False]
    held = sum(row["met"] is True for row in rows)
    print(f"bars met: {held} of {held + len(missed)}" + "".join(f"\n  missed: {m}" for m in missed))
    absent = sum("ratio" not in row for row in rows)
    if absent:
        print(f"not measured: {absent} of {len(rows)} rows, for the reason that each gives")
    if names:
        return 0
    about = machine(load_before)
    RESULTS.mkdir(exist_ok=True)
    written = json.dumps({"machine": about, "rows": rows}, indent=1) + "\n"
    (RESULTS / "speed.json").write_text(written, encoding="utf-8")
    (RESULTS / "speed.md").write_text(markdown(rows, about), encoding="utf-8")
    print(f"wrote {(RESULTS / 'speed.md').relative_to(BENCH.parent)} and speed.json beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
