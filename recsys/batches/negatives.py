"""Items drawn to stand beside what was taken, with the probability of each draw."""

import numpy as np


class NegativeSampler:
    """Draws items with replacement, with the logarithm of the probability of each.

    Args:
        counts: int (n_items,), how often each item occurs.
        n_negatives: draws at a time, at least 1.
        by: "popularity" draws in proportion to 1 + count, "uniform" each item alike.

    Raises:
        ValueError: another `by`, or no draws.
    """

    def __init__(self, counts: np.ndarray, n_negatives: int, by: str = "popularity"):
        if by not in ("popularity", "uniform"):
            raise ValueError(f'by: expected "popularity" or "uniform", got {by!r}')
        if n_negatives < 1:
            raise ValueError(f"n_negatives: expected at least 1, got {n_negatives}")
        weights = np.ones(len(counts))
        if by == "popularity":
            weights = np.asarray(counts, dtype=np.float64) + 1
        self.n_negatives = n_negatives
        self.chances = weights / weights.sum()  # (n_items,)
        self.cumulative = np.cumsum(self.chances)
        self.log_q = np.log(self.chances).astype(np.float32)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ids, int64 (n_negatives,), and the log q of each, likewise float32."""
        places = np.searchsorted(
            self.cumulative, rng.random(self.n_negatives), side="right"
        )
        items = np.minimum(places, len(self.cumulative) - 1)
        return items + 1, self.log_q[items]
