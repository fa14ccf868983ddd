"""From texts as ids to what models of words are fed, and from vectors of words to one of a text."""

from collections.abc import Sequence

import numpy as np

from recsys.data.words import PADDING


def text_windows(texts: list[np.ndarray], length: int) -> np.ndarray:
    """Cut texts into windows of at most `length` ids: int64 (n, length), padded on the right."""
    pieces = [ids[start:start + length] for ids in texts for start in range(0, len(ids), length)]
    rows = np.full((len(pieces), length), PADDING, dtype=np.int64)
    for row, piece in zip(rows, pieces, strict=True):
        row[:len(piece)] = piece
    return rows


def hide_words(
    ids: np.ndarray, n_words: int, share: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose words to be named, and hide them: 80 in 100 by the mask, 10 by a random word, 10 not.

    Args:
        ids: int64 (n, length), 0 = padding.
        n_words: size of the vocabulary.
        share: of real words that are chosen.
        random: of everything drawn.

    Returns:
        Inputs (n, length), and targets (n, length), 0 where nothing is to be named.
    """
    chosen = (ids != PADDING) & (random.random(ids.shape) < share)
    fate = random.random(ids.shape)
    inputs = np.where(chosen & (fate < 0.8), n_words + 1, ids)
    inputs = np.where(chosen & (fate >= 0.9), random.integers(1, n_words + 1, ids.shape), inputs)
    return inputs, np.where(chosen, ids, PADDING)


def skip_gram_pairs(texts: Sequence[np.ndarray], window: int, random: np.random.Generator) -> np.ndarray:
    """All pairs of a centre and a neighbour, each centre with a window of its own.

    Args:
        texts: int arrays of ids.
        window: the farthest neighbour; each centre's reach is drawn from 1 to this.
        random: of the windows.

    Returns:
        Int64 (n_pairs, 2).
    """
    ids = np.concatenate([np.zeros(0, dtype=np.int64), *texts])
    text = np.repeat(np.arange(len(texts)), [len(row) for row in texts])
    reach = random.integers(1, window + 1, size=len(ids))
    pairs = []
    for distance in range(1, window + 1):
        together = text[:-distance] == text[distance:]
        early, late = slice(None, -distance), slice(distance, None)
        for centre, other in ((early, late), (late, early)):
            kept = together & (reach[centre] >= distance)
            pairs.append(np.column_stack([ids[centre][kept], ids[other][kept]]))
    return np.concatenate(pairs)


def mean_vectors(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A text as the mean of its words.

    Args:
        vectors: (1 + n_words, dim).
        ids: int64 (n, length), 0 = padding.

    Returns:
        (n, dim); zeros for a text without a known word.
    """
    real = ids > 0
    return (vectors[ids] * real[:, :, None]).sum(1) / np.maximum(real.sum(1), 1)[:, None]
