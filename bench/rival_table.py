"""bench/results/rivals.json as tables for a chapter: no headings, a legend below each."""

import numpy as np

from recsys.evaluation import bootstrap_interval, two_way_test

PROTOCOL = (
    "MovieLens 100K, leave-last-out by time, ties in file order; fitted on train and validation, the last event of "
    "943 users is the test; full ranking of 1,682 films, those seen masked, ties by item index; nDCG@10 with one "
    "relevant film. Hits and nDCG are counted by recsys.evaluation for all, from ten films a user. A row of several "
    "seeds is the mean of each user over seeds, before the interval over users. One thread. Seconds are those of "
    "training, by the core's own counter (beside it the clock; other jobs may share the processors); lists and "
    "metrics are left out. RecTools had 150 s of the core for each of twelve settings on validation, RecBole 600 s for its one. Peak memory is that of "
    "the whole process: Python, framework, data, all rows of ours that came before."
)

REPAIRS = {
    "RecTools 0.19.0": [
        "numpy==1.26.4, pandas==2.3.3: its own bounds (numpy<2, pandas<3) on Python 3.11; with them it installs and "
        "runs without a repair. It needs an environment of its own, because this book has NumPy 2.",
        "Not a repair, but to know: with the default `session_max_len=100` it trains on each user's last 101 events "
        "alone, and never recommends a film that occurs only before them.",
    ],
    "RecBole 1.2.1": [
        "setuptools==80.9.0: `from recbole.quick_start import run_recbole` imports ray 2.6.3, which ends in "
        "`ModuleNotFoundError: No module named 'pkg_resources'` with setuptools 84.",
        "numpy==1.26.4: then ray ends in `AttributeError: module 'numpy' has no attribute 'bool8'`, and without ray "
        "RecBole's configurator in ``AttributeError: `np.float_` was removed in the NumPy 2.0 release.``",
        "pandas==2.3.3: the newest, 3.1.1, requires numpy>=2.0.2 and does not import beside 1.26.4.",
        "No checkpoint is read: the last step of `run_recbole` reads back the best one and ends in "
        "`_pickle.UnpicklingError: Weights only load failed`, since `torch.load` loads weights only from PyTorch 2.6 "
        "on. (`torch.load` with `weights_only=False` cures it: then its quick start runs to the end.) Here training "
        "goes epoch by epoch through `Trainer._train_epoch`, so that it can stop in time.",
        "`torch.autograd.set_detect_anomaly(False)`, against slowness and not an error: importing any sequential "
        "model imports `recbole/model/sequential_recommender/sine.py`, whose line 25 turns PyTorch's anomaly "
        "detection on for the whole process. A step of 2,048 rows took 5.3 s of the core with it, 4.3 s without.",
        "Lists are made from its scores: for sequential models it does not mask what a user has seen.",
    ],
}

WHY_SLOW = (
    "Why an epoch of RecBole takes so long: it makes a row of every prefix, 98,114 rows for 943 users, pads each to "
    "50 places (39.2 of them real, on average), and learns from the last place alone. That is 4.9 million places "
    "through two blocks for 98,114 predictions, where RecTools and our SASRec predict at every place of a sequence "
    "and need about one place for each prediction. The output product and the loss are 1% of a step."
)


def values(rows):
    """Each user's mean over the seeds: (n_users,)."""
    return np.mean([row["ndcg10"] for row in rows], axis=0)


def grouped(rows):
    """(tool, name) to the rows of its seeds, ours first."""
    rows = sorted(rows, key=lambda row: (row["tool"] != "ours", row["tool"]))
    groups = {}
    for row in rows:
        groups.setdefault((row["tool"], row["name"]), []).append(row)
    return groups


def final(row):
    """The point of the curve whose lists count."""
    return next(p for p in row["curve"] if p["epochs"] == row["epochs"])


def table(titles, lines):
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|",
            *("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines), ""]  # fmt: skip


def short(settings):
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "all as they come"


def accuracy(groups):
    """The rows at their final epoch."""
    for (tool, name), rows in groups.items():
        at = [final(row) for row in rows]
        yield (name, tool, rows[0]["epochs"] or "", len(rows), bootstrap_interval(values(rows)),
               *(f"{np.mean([point[key] for point in at]):.3g}" for key in ("cpu_seconds", "seconds")),
               max(row["about"]["peak_mib"] for row in rows))  # fmt: skip


def differences(groups):
    """Attention less every other row, over users and seeds; a row of one seed is the same for each."""
    ours = np.array([row["ndcg10"] for row in groups["ours", "attention"]])  # (n_seeds, n_users)
    for (tool, name), rows in groups.items():
        if (tool, name) != ("ours", "attention"):
            theirs = np.array([row["ndcg10"] for row in rows])
            test = two_way_test(ours - theirs)
            yield (f"{tool}: {name}", f"{test.difference:+.4f} [{test.low:+.4f}, {test.high:+.4f}]",
                   f"{test.p_value:.3g}")  # fmt: skip


def curves(rows):
    """Every point that was measured, seed 0."""
    for row in rows:
        for p in row["curve"] if row["seed"] == 0 else ():
            yield row["tool"], row["name"], p["epochs"] or "", p["cpu_seconds"], f"{p['ndcg10']:.4f}"


def markdown(results):
    """All of it."""
    groups = grouped(results["rows"])
    ordered = [row for rows in groups.values() for row in rows]
    versions = {tool: rows[0]["about"]["versions"] | {"python": rows[0]["about"]["python"]}
                for (tool, _), rows in groups.items()}  # fmt: skip
    lines = table(["model", "tool", "epochs", "seeds", "nDCG@10, 95% interval over users", "seconds of the core",
                   "by the clock", "peak MiB"], accuracy(groups))  # fmt: skip
    lines += [PROTOCOL, "", "Our attention less each, over the same users, with 95% intervals over users and seeds:", ""]
    lines += table(["less", "difference", "p"], differences(groups))
    lines += ["Accuracy against seconds on the test (a curve chooses nothing):", ""]
    lines += table(["tool", "model", "epochs", "seconds of the core", "nDCG@10"], curves(ordered))
    lines += ["Settings of RecTools drawn at random and tried on validation, one seed, trained on train alone; the best point of any curve chose the row and its epochs:", ""]
    lines += table(["tool", "settings", "epochs", "seconds of the core", "nDCG@10"],
                   curves([row | {"name": short(row["settings"])} for row in results.get("search", [])]))  # fmt: skip
    lines += ["What each needed:", ""]
    for tool, repairs in REPAIRS.items():
        lines += [f"- {tool}", *(f"  - {repair}" for repair in repairs)]
    lines += ["", WHY_SLOW, ""]
    lines += ["Versions: " + "; ".join(f"{tool}: " + ", ".join(f"{n} {v}" for n, v in found.items())
                                       for tool, found in versions.items()) + ".", ""]  # fmt: skip
    return "\n".join(lines)
