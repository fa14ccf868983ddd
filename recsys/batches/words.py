"""From texts as ids to batches for models of words, and to vectors of texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.batches.sequences import pad
from recsys.data.words import PADDING


def text_windows(texts: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Cut texts into windows of at most `length` ids, padded: int64 (n, length)."""
    pieces = [
        ids[start : start + length]
        for ids in texts
        for start in range(0, len(ids), length)
    ]
    return pad(pieces, length)


def hide_words(
    ids: np.ndarray, n_words: int, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose words to be named, and hide most of them.

    Of the chosen 80 in 100 become the mask, 10 a word drawn evenly, and 10 stay.

    Args:
        ids: int64 (n, length), 0 = padding.
        n_words: size of the vocabulary.
        share: of real words that are chosen.
        rng: of everything drawn.

    Returns:
        Inputs (n, length), and targets (n, length), 0 where nothing is to be named.
    """
    chosen = (ids != PADDING) & (rng.random(ids.shape) < share)
    fate = rng.random(ids.shape)
    masked = chosen & (fate < 0.8)
    replaced = chosen & (fate >= 0.9)
    others = rng.integers(1, n_words + 1, ids.shape)
    inputs = np.where(masked, n_words + 1, ids)
    inputs = np.where(replaced, others, inputs)
    return inputs, np.where(chosen, ids, PADDING)


@dataclass(frozen=True)
class HiddenWordBatches:
    """Windows of words, others hidden in each epoch, in a fresh seeded order.

    Args:
        rows: int64 (n, length), what `text_windows` gives.
        n_words: size of the vocabulary.
        share: of words to be named.
        batch_size: windows of a batch.
        seed: with the number of the epoch it decides everything drawn.
    """

    rows: np.ndarray
    n_words: int
    share: float
    batch_size: int
    seed: int = 0

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Inputs and targets of `hide_words`, int64 (batch, length).
        """
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.rows))
        inputs, targets = hide_words(self.rows[order], self.n_words, self.share, rng)
        batches = []
        for start in range(0, len(order), self.batch_size):
            part = slice(start, start + self.batch_size)
            batches.append((inputs[part], targets[part]))
        return batches


def skip_gram_pairs(
    texts: Sequence[np.ndarray], window: int, rng: np.random.Generator
) -> np.ndarray:
    """All pairs of a centre and a neighbour, each centre with a window of its own.

    Args:
        texts: int arrays of ids.
        window: the farthest neighbour; each centre's reach is drawn from 1 to this.
        rng: of the windows.

    Returns:
        Int64 (n_pairs, 2).
    """
    ids = np.concatenate([np.zeros(0, dtype=np.int64), *texts])
    text = np.repeat(np.arange(len(texts)), [len(row) for row in texts])
    reach = rng.integers(1, window + 1, size=len(ids))
    pairs = []
    for distance in range(1, window + 1):
        together = text[:-distance] == text[distance:]
        early, late = slice(None, -distance), slice(distance, None)
        for centre, other in ((early, late), (late, early)):
            kept = together & (reach[centre] >= distance)
            pairs.append(np.column_stack([ids[centre][kept], ids[other][kept]]))
    return np.concatenate(pairs)


@dataclass(frozen=True)
class SkipGramBatches:
    """Pairs of neighbours, and strangers drawn beside each.

    Drawn in proportion to their counts to the power 3/4.

    Args:
        texts: int arrays of ids.
        counts: int (1 + n_words,), how often each id occurs; none of 0, which is never
            drawn.
        window: the farthest neighbour.
        negatives: strangers of a pair.
        batch_size: pairs of a batch.
        seed: with the number of the epoch it decides everything drawn.
    """

    texts: Sequence[np.ndarray]
    counts: np.ndarray
    window: int
    negatives: int
    batch_size: int
    seed: int = 0

    def __call__(self, epoch: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Make the batches of one epoch.

        Args:
            epoch: counted from 0.

        Returns:
            Centres (batch,), neighbours (batch,) and strangers (batch, negatives), all
            int64.
        """
        rng = np.random.default_rng([self.seed, epoch])
        pairs = rng.permutation(
            skip_gram_pairs(self.texts, self.window, rng)
        )  # (n_pairs, 2)
        weights = self.counts**0.75
        chances = weights / weights.sum()  # (1 + n_words,)
        strangers = rng.choice(
            len(chances), size=(len(pairs), self.negatives), p=chances
        )
        batches = []
        for start in range(0, len(pairs), self.batch_size):
            part = slice(start, start + self.batch_size)
            batches.append((pairs[part, 0], pairs[part, 1], strangers[part]))
        return batches


def mean_vectors(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A text as the mean of its words.

    Args:
        vectors: (1 + n_words, dim).
        ids: int64 (n, length), 0 = padding.

    Returns:
        (n, dim); zeros for a text without a known word.
    """
    real = ids != PADDING  # (n, length)
    total = (vectors[ids] * real[:, :, None]).sum(1)  # (n, dim)
    count = np.maximum(real.sum(1), 1)  # (n,)
    return total / count[:, None]
