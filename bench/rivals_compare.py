"""Our models of studies/sequence_test.json against every rival of results/rivals.json, user by user.

``python bench/rivals_compare.py`` prints, for each pair, the mean difference of nDCG@10 over the
943 users of MovieLens 100K, its 95% interval and a p-value (``recsys.evaluation.paired_test``).
On both sides a user's number is the mean over the seeds there are. Nothing is trained.
"""

import json
from pathlib import Path

import numpy as np

from recsys.book.studies import study
from recsys.evaluation import paired_test

RIVALS = Path(__file__).parent / "results" / "rivals.json"


def rivals() -> dict[str, np.ndarray]:
    """Each rival's nDCG@10 of every user, averaged over its seeds."""
    rows = [row for row in json.loads(RIVALS.read_text("utf-8")).get("rows", []) if row["tool"] != "ours"]
    names = dict.fromkeys(f"{row['tool']}: {row['name']}" for row in rows)
    return {name: np.mean([row["ndcg10"] for row in rows if f"{row['tool']}: {row['name']}" == name], axis=0)
            for name in names}  # fmt: skip


def compared() -> list[tuple]:
    """(ours, rival, difference, low, high, p) for every pair."""
    ours = study("sequence_test")["per user nDCG@10"]
    return [(name, rival, *paired_test(np.array(values), theirs))
            for rival, theirs in rivals().items() for name, values in ours.items()]  # fmt: skip


if __name__ == "__main__":
    for name, rival, difference, low, high, p in compared():
        print(f"{name:20} less {rival:30} {difference:+.4f} [{low:+.4f}, {high:+.4f}] p {p:.3f}")
