"""The retrieval function BM25: which documents a few words ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recsys.data.words import refuse_string, words


class BM25:
    """Okapi BM25: rare words count more, repeated ones ever less, long documents are held back.

    A document scores sum over the words w of the query, each as often as it is asked, of

        idf(w) * f (k1 + 1) / (f + k1 (1 - b + b |d| / mean |d|)),  idf(w) = log(1 + (N - n + 1/2) / (n + 1/2))

    with f the count of w in d and n the number of documents that hold w.

    Parameters
    ----------
    documents : sequence of str
    k1, b : float
        How slowly repetition saturates, above 0; how much length matters, from 0 to 1.

    Raises ``ValueError`` for no document, one string in place of a list, and a k1 or b out of range.
    Source: Robertson and Zaragoza (2009), section 3; idf with the 1 inside the
    logarithm, which keeps it positive.
    """

    def __init__(self, documents: Sequence[str], k1: float = 1.2, b: float = 0.75):
        refuse_string("documents", documents)
        if not len(documents):
            raise ValueError("documents: expected at least one, got none.")
        if not (k1 > 0 and 0 <= b <= 1):
            raise ValueError(f"k1 and b: expected a k1 above 0 and a b from 0 to 1, got {k1} and {b}.")
        self.counts = [Counter(words(document)) for document in documents]
        lengths = np.array([count.total() for count in self.counts], dtype=float)
        self.k1, self.slowness = k1, k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-12))  # (n_documents,)
        holding = Counter(word for count in self.counts for word in count)
        total = len(documents)
        self.idf = {word: np.log1p((total - n + 0.5) / (n + 0.5)) for word, n in holding.items()}

    def scores(self, query: str) -> np.ndarray:
        """Score every document: float (n_documents,); all zero where no word of the query is known."""
        scores = np.zeros(len(self.counts))
        for word in words(query):
            if word in self.idf:
                f = np.array([count[word] for count in self.counts], dtype=float)
                held = f > 0  # a document without words has a slowness of 0 where b is 1
                scores[held] += self.idf[word] * f[held] * (self.k1 + 1) / (f[held] + self.slowness[held])
        return scores
