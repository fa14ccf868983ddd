"""Why a product stands in a list, as far as a log can say: the strongest link to the history."""

from typing import NamedTuple

import numpy as np
from scipy import sparse


class Link(NamedTuple):
    """How a product hangs together with a history.

    Args:
        times: how often it is in the history itself.
        goes_with: the product of the history that it goes with most, -1 for none.
    """

    times: int
    goes_with: int


def link(similarity: sparse.csr_matrix, taken: np.ndarray, item: int) -> Link:
    """Find what links an item to a history: itself, or what goes with it most.

    It is read from the data, whatever model made the list. Of equal similarities the
    smaller item is named.

    Args:
        similarity: (n_items, n_items), of an item of the history and one that goes with
            it, as `Proposals.similarity`.
        taken: int (n_events,), items of the history.
        item: of the list.
    """
    times = int((taken == item).sum())
    different = np.unique(taken)
    likeness = similarity[different, item].toarray()[:, 0]  # (n_different,)
    if times or not likeness.any():
        return Link(times, -1)
    return Link(0, int(different[likeness.argmax()]))
