"""Events grouped by who took what: how often, when first and when last."""

import numpy as np


class Repeats:
    """Sums over the events of each pair of an owner and a kind that occurs.

    Args:
        owners: int (n,), at least 0: customers, or questions.
        kinds: int (n,), from 0 to n_kinds - 1: items, or groups of them.
        days: int (n,), ascending within an owner.
        n_kinds: how many there are.

    Attributes:
        owners, kinds: int (n_pairs,), the pairs, sorted by both.
        counts: int (n_pairs,), events of each.
        oldest, newest: int (n_pairs,), days of the first and the last of them.
    """

    def __init__(
        self, owners: np.ndarray, kinds: np.ndarray, days: np.ndarray, n_kinds: int
    ):
        keys = owners * n_kinds + kinds
        self.order = np.argsort(keys, kind="stable")
        ranked = keys[self.order]
        starts = np.flatnonzero(np.diff(ranked, prepend=-1))  # (n_pairs,)
        ends = np.append(starts, len(ranked))[1:]
        self.keys = ranked[starts]
        self.n_kinds = n_kinds
        self.owners, self.kinds = np.divmod(self.keys, n_kinds)
        self.counts = ends - starts
        self.oldest = days[self.order[starts]]
        self.newest = days[self.order[ends - 1]]

    def sums(self, weights: np.ndarray) -> np.ndarray:
        """Sum weights, one an event, over the events of each pair, (n_pairs,)."""
        pairs = np.repeat(np.arange(len(self.keys)), self.counts)
        return np.bincount(pairs, weights=weights[self.order], minlength=len(self.keys))

    def of_newest(self, values: np.ndarray) -> np.ndarray:
        """Values, one an event, of the newest event of each pair, (n_pairs,)."""
        last = np.cumsum(self.counts) - 1
        return values[self.order[last]]

    def find(self, owners: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """Look pairs up: the number of each, -1 where it does not occur, (n,)."""
        wanted = owners * self.n_kinds + kinds
        if not len(self.keys):
            return np.full(len(wanted), -1)
        places = np.searchsorted(self.keys, wanted)
        places = np.minimum(places, len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, places, -1)


def values_at(values: np.ndarray, places: np.ndarray, missing: float) -> np.ndarray:
    """Take values[places], and `missing` where a place is -1."""
    return np.append(values, missing)[places]
