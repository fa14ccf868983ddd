"""The retrieval function BM25: which documents a few words ask for."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recsys.data.words import refuse_string, words


class BM25:
    """Okapi BM25: rare words count more, repeated ones less, long documents are held back.

    A document scores sum over the words w of the query, each as often as it is asked, of

        idf(w) * f (k1 + 1) / (f + k1 (1 - b + b |d| / mean |d|)),
        idf(w) = log(1 + (N - n + 1/2) / (n + 1/2))

    with f the count of w in d and n the number of documents that hold w.

    Args:
        documents: the texts.
        k1: how slowly repetition saturates, above 0.
        b: how much length matters, from 0 to 1.

    Raises:
        ValueError: no document, one string in place of a list, or a k1 or b out of range.

    Source: Robertson and Zaragoza (2009), section 3; idf with the 1 inside the
    logarithm, which keeps it positive.
    """

    def __init__(self, documents: Sequence[str], k1: float = 1.2, b: float = 0.75):
        refuse_string("documents", documents)
        if not len(documents):
            raise ValueError("documents: expected at least one, got none.")
        if not (k1 > 0 and 0 <= b <= 1):
            raise ValueError(
                f"k1 and b: expected a k1 above 0 and a b from 0 to 1, got {k1} and {b}"
            )
        self.k1 = k1
        self.counts = [Counter(words(document)) for document in documents]
        lengths = np.array([count.total() for count in self.counts], dtype=float)
        mean_length = max(lengths.mean(), 1e-12)
        relative = b * lengths / mean_length
        self.slowness = k1 * (1 - b + relative)  # (n_documents,)
        holding = Counter()
        for count in self.counts:
            holding.update(count.keys())
        n_documents = len(documents)
        self.idf = {word: _idf(n, n_documents) for word, n in holding.items()}

    def scores(self, query: str) -> np.ndarray:
        """Score every document: (n_documents,) float; 0 where no word of the query is known."""
        scores = np.zeros(len(self.counts))
        for word in words(query):
            if word not in self.idf:
                continue
            every = np.array([count[word] for count in self.counts], dtype=float)
            held = (
                every > 0
            )  # a document without words has a slowness of 0 where b is 1
            f = every[held]
            gain = self.idf[word] * f * (self.k1 + 1)
            slowness = self.slowness[held]
            scores[held] += gain / (f + slowness)
        return scores


def _idf(n: int, total: int) -> float:
    """The weight of a word that n of all documents hold."""
    return np.log1p((total - n + 0.5) / (n + 0.5))
