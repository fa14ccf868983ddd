"""What public libraries print for one metric on one input, and which formula each used.

``python bench/metric_libraries.py`` runs every library of runners.py in its own
environment on the input of metric_input.py, computes each result again with the few
lines of NumPy below, stops if any of the two differ by more than 1e-9 (1e-6 where the
library works in float32), and writes bench/results/metric_libraries.json.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from environments import BENCH, ensure
from metric_input import N_PAST_USERS, build
from runner_result import SHIFT, K
from runners import LIBRARIES

SEED = 2026
RESULTS = BENCH / "results" / "metric_libraries.json"
TOLERANCE = {"float64": 1e-9, "float32": 1e-6}

DATA = build(SEED)
N_USERS, N_ITEMS = DATA.scores.shape
RANKS = np.arange(1, N_ITEMS + 1)
ORDER = np.argsort(-DATA.scores, axis=1)  # (n_users, n_items), best first
FULL_HITS = np.take_along_axis(DATA.relevant, ORDER, axis=1)  # (n_users, n_items)
TOP = ORDER[:, :K]
HITS = FULL_HITS[:, :K]  # (n_users, k)
N_HITS = HITS.sum(axis=1)
N_RELEVANT = DATA.relevant.sum(axis=1)
CAPPED = np.minimum(K, N_RELEVANT)
DISCOUNT = 1 / np.log2(RANKS + 1)
CLIPPED = 1 / np.log2(np.maximum(RANKS, 2))  # ranks 1 and 2 weigh 1 each


def ndcg(discount, n_ideal):
    """DCG of the top k over the DCG of ``n_ideal`` relevant items in a row; 0 where that is 0."""
    ideal = np.concatenate([[0], np.cumsum(discount)])[n_ideal]
    return HITS @ discount[:K] / np.where(ideal > 0, ideal, 1)


def summed_precision(hits):
    """Sum of precision at the rank of each hit: (n_users,)."""
    return (hits * np.cumsum(hits, axis=1) / RANKS[: hits.shape[1]]).sum(axis=1)


def reciprocal_rank(hits):
    """One over the rank of the first hit, 0 without one: (n_users,)."""
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0)


def ordered_pairs(hits):
    """Pairs in which a relevant item stands before an irrelevant one: (n_users,)."""
    return (np.cumsum(hits, axis=1) * ~hits).sum(axis=1)


def limited_auc():
    """AUC of the top k; items below it count as if in random order."""
    n_irrelevant = N_ITEMS - N_RELEVANT
    below = (N_HITS + N_RELEVANT) / 2 * (n_irrelevant - (K - N_HITS))
    return (ordered_pairs(HITS) + below) / (N_RELEVANT * n_irrelevant)


def gini(exposure):
    """Gini index of (n_items,) exposures, items without any included."""
    exposure = np.sort(exposure)
    return ((2 * RANKS - N_ITEMS - 1) * exposure).sum() / (N_ITEMS * exposure.sum())


def mean_over_pairs(similarity):
    """Mean of an (n_items, n_items) matrix over the pairs of each user's top k: (n_users,)."""
    first, second = np.triu_indices(K, 1)
    return similarity[TOP[:, first], TOP[:, second]].mean(axis=1)


def cosine():
    """Cosine of the items' features: (n_items, n_items)."""
    unit = DATA.features / np.linalg.norm(DATA.features, axis=1, keepdims=True)
    return unit @ unit.T


def popularity_quantile():
    """Rank of each item's popularity, ties averaged, 1 for the most popular: (n_items,)."""
    below = (DATA.popularity[:, None] > DATA.popularity).sum(axis=1)
    equal = (DATA.popularity[:, None] == DATA.popularity).sum(axis=1)
    return (below + (equal + 1) / 2) / N_ITEMS


def shares():
    """Share of all recommendations that each recommended item received."""
    counts = np.bincount(TOP.ravel())
    return counts[counts > 0] / TOP.size


# (metric, variant): (what it is, the values: per user, or one number for the whole run)
VARIANTS = {
    ("ndcg", "capped"): (
        "discount log2(rank + 1); ideal over min(k, relevant)",
        ndcg(DISCOUNT, CAPPED),
    ),
    ("ndcg", "all-relevant"): (
        "discount log2(rank + 1); gain from the top k, ideal over all relevant items",
        ndcg(DISCOUNT, N_RELEVANT),
    ),
    ("ndcg", "full-k"): (
        "discount log2(rank + 1); ideal over k, though a user may have fewer relevant items",
        ndcg(DISCOUNT, np.full(N_USERS, K)),
    ),
    ("ndcg", "retrieved"): (
        "discount log2(rank + 1); ideal over the relevant items in the retrieved list",
        ndcg(DISCOUNT, N_HITS),
    ),
    ("ndcg", "clipped-discount"): (
        "discount max(1, log2(rank)), so ranks 1 and 2 weigh the same; ideal over min(k, relevant)",
        ndcg(CLIPPED, CAPPED),
    ),
    ("ndcg", "clipped-discount-all-relevant"): (
        "discount max(1, log2(rank)); ideal over all relevant items",
        ndcg(CLIPPED, N_RELEVANT),
    ),
    ("precision", "full-k"): ("hits / k", N_HITS / K),
    ("precision", "capped"): ("hits / min(k, relevant)", N_HITS / CAPPED),
    ("precision", "pooled-capped"): (
        "per user hits / min(k, relevant); value: all hits / sum of min(k, relevant)",
        N_HITS / CAPPED,
    ),
    ("precision", "positive-scores"): (
        "hits with a score above zero / k (here the scores were lowered by 0.985)",
        (HITS & (np.take_along_axis(DATA.scores, TOP, 1) > SHIFT)).sum(axis=1) / K,
    ),
    ("recall", "all-relevant"): ("hits / relevant", N_HITS / N_RELEVANT),
    ("recall", "capped"): ("hits / min(k, relevant)", N_HITS / CAPPED),
    ("recall", "retrieved"): (
        "hits / hits: 1 for every user with a hit",
        (N_HITS > 0).astype(float),
    ),
    ("hit_rate", "any-in-k"): ("1 if the top k holds a relevant item", (N_HITS > 0).astype(float)),
    ("reciprocal_rank", "cut-at-k"): (
        "1 / rank of the first hit, 0 below rank k",
        reciprocal_rank(HITS),
    ),
    ("reciprocal_rank", "uncut"): (
        "1 / rank of the first hit in the full ranking",
        reciprocal_rank(FULL_HITS),
    ),
    ("average_precision", "all-relevant"): (
        "precision at each hit of the top k, summed, / relevant",
        summed_precision(HITS) / N_RELEVANT,
    ),
    ("average_precision", "capped"): (
        "precision at each hit of the top k, summed, / min(k, relevant)",
        summed_precision(HITS) / CAPPED,
    ),
    ("average_precision", "full-k"): (
        "precision at each hit of the top k, summed, / k",
        summed_precision(HITS) / K,
    ),
    ("average_precision", "hits"): (
        "precision at each hit of the top k, summed, / hits in the top k",
        summed_precision(HITS) / np.maximum(N_HITS, 1),
    ),
    ("average_precision", "uncut"): (
        "precision at each relevant item of the full ranking, summed, / relevant",
        summed_precision(FULL_HITS) / N_RELEVANT,
    ),
    ("auc", "full"): (
        "share of (relevant, irrelevant) pairs in the right order, full ranking",
        ordered_pairs(FULL_HITS) / (N_RELEVANT * (N_ITEMS - N_RELEVANT)),
    ),
    ("auc", "limited-at-k"): (
        "the same, with items below rank k taken to be in random order",
        limited_auc(),
    ),
    ("coverage", "share-of-catalogue"): (
        "distinct items in the lists / items",
        len(np.unique(TOP)) / N_ITEMS,
    ),
    ("coverage", "entropy"): (
        "entropy in bits of the share of recommendations that each item received",
        -(shares() * np.log2(shares())).sum(),
    ),
    ("gini", "list-counts"): (
        "Gini index of the number of lists that hold each item, items in none included",
        gini(np.bincount(TOP.ravel(), minlength=N_ITEMS)),
    ),
    ("gini", "geometric-exposure"): (
        "Gini index of summed exposure, 0.85 ** (rank - 1) for each showing",
        gini(np.bincount(TOP.ravel(), np.tile(0.85 ** (RANKS[:K] - 1), N_USERS), N_ITEMS)),
    ),
    ("novelty", "share-of-users"): (
        "mean over the list of -log2(users of the item / users), the mean inverse user frequency",
        -np.log2(DATA.popularity / N_PAST_USERS)[TOP].mean(axis=1),
    ),
    ("novelty", "share-of-interactions"): (
        "mean of -log2(interactions of the item / all interactions)",
        -np.log2(DATA.popularity / DATA.popularity.sum())[TOP].mean(axis=1),
    ),
    ("popularity", "share-of-interactions"): (
        "mean over the list of interactions of the item / all interactions",
        (DATA.popularity / DATA.popularity.sum())[TOP].mean(axis=1),
    ),
    ("popularity", "rank-quantile"): (
        "mean over the list of the item's popularity rank, ties averaged, / items",
        popularity_quantile()[TOP].mean(axis=1),
    ),
    ("intra_list_diversity", "hamming"): (
        "mean over pairs of the number of features that differ",
        mean_over_pairs((DATA.features[:, None] != DATA.features).sum(axis=2)),
    ),
    ("intra_list_diversity", "cosine"): (
        "1 less the mean cosine of the features over pairs",
        1 - mean_over_pairs(cosine()),
    ),
}


def expected_value(metric, variant):
    """The number for the whole run: the mean over users, but for the pooled precision."""
    if variant == "pooled-capped":
        return N_HITS.sum() / CAPPED.sum()
    return np.mean(VARIANTS[metric, variant][1])


def run_library(library, source):
    """Versions and results of one library, from its own process and environment."""
    python = ensure(LIBRARIES[library][2])
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.json"
        command = [python, "-W", "ignore", BENCH / "runners.py", library, source, target]
        threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env={**os.environ, **threads})
        return json.loads(target.read_text(encoding="utf-8"))


def checked(library, entry):
    """The entry with its formula, its distance from the NumPy values, and 12 decimals.

    Raises: AssertionError if the library and the variant it is said to use disagree.
    """
    metric, variant = entry["metric"], entry["variant"]
    formula, own = VARIANTS[metric, variant]
    gaps = [abs(entry["value"] - expected_value(metric, variant))]
    if entry["per_user"] is not None:
        gaps.extend(np.abs(np.array(entry["per_user"]) - own))
        entry["per_user"] = [round(x, 12) for x in entry["per_user"]]
    gap, tolerance = np.max(gaps), TOLERANCE[entry["arithmetic"]]
    assert gap <= tolerance, (
        f"{library} {entry['call']} is not {variant} {metric}: off by {gap:.3g}"
    )
    return {
        "library": library,
        **entry,
        "value": round(entry["value"], 12),
        "formula": formula,
        "tolerance": tolerance,
        "max_difference": float(f"{gap:.1e}"),
    }


def distinct(entries, metric):
    """Rows (variant, value, libraries) of one metric, largest value first."""
    groups = {}
    for entry in entries:
        if entry["metric"] == metric:
            groups.setdefault(entry["variant"], []).append(entry)
    rows = [
        {
            "variant": variant,
            "value": round(float(expected_value(metric, variant)), 12),
            "libraries": sorted({entry["library"] for entry in group}),
        }
        for variant, group in groups.items()
    ]
    return sorted(rows, key=lambda row: -row["value"])


def write(head, entries):
    """Write the results file, one entry a line so that a diff shows what moved."""
    lines = ",\n  ".join(json.dumps(entry) for entry in entries)
    opened = json.dumps(head, indent=1).removesuffix("\n}")
    text = f'{opened},\n "entries": [\n  {lines}\n ]\n}}\n'
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text, encoding="utf-8")


def main():
    """Run all, check all, write the file; return the number of libraries that failed."""
    versions, entries, failed = {}, [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "input.npz"
        np.savez(source, **DATA._asdict())
        for library in LIBRARIES:
            try:
                answer = run_library(library, source)
            except subprocess.CalledProcessError as error:
                failed.append(library)
                print(f"{library}: FAILED\n{error.stderr or 'its error is above'}", flush=True)
                continue
            versions[library] = answer["versions"]
            entries += [checked(library, entry) for entry in answer["results"]]
    metrics = list(dict.fromkeys(metric for metric, _ in VARIANTS))
    written = {
        "seed": SEED,
        "k": K,
        "n_users": N_USERS,
        "n_items": N_ITEMS,
        "input_sha256": hashlib.sha256(b"".join(a.tobytes() for a in DATA)).hexdigest(),
        "versions": versions,
        "failed": failed,
        "distinct": {metric: distinct(entries, metric) for metric in metrics},
    }
    write(written, entries)
    for metric in metrics:
        for row in written["distinct"][metric]:
            names = ", ".join(row["libraries"])
            print(f"{metric:<21} {row['variant']:<30} {row['value']:.6f}  {names}")
    print(f"wrote {RESULTS.relative_to(BENCH.parent)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
