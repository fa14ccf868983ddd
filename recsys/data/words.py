"""From texts to words, and from words to ids.

Pure functions and a small immutable table; no framework and no data set. English is cut
at anything that is not a letter or a digit. Chinese has no spaces, so a run of Han characters
gives its overlapping bigrams (what retrieval uses) or its single characters (what a model
that reads in order uses).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.checks import PADDING

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_PIECE = re.compile(
    rf"(?P<han>[{_HAN}]+)|(?P<word>(?:(?![{_HAN}])[^\W_])+(?:'(?:(?![{_HAN}])[^\W_])+)*)"
)


def words(text: str, chinese: str = "bigrams") -> list[str]:
    """Cut a text into lower-case words.

    Width and case are made alike first (Unicode NFKC, then case folding), so that full-width
    letters are the same as narrow ones. An apostrophe inside a word stays: "don't" is one.

    Args:
        text: any text.
        chinese: "bigrams": 经济新闻 gives 经济, 济新, 新闻; a lone character gives itself.
            "characters": 经, 济, 新, 闻.

    Returns:
        The words, in order.

    Raises:
        ValueError: another way of cutting Chinese.
    """
    if chinese not in ("bigrams", "characters"):
        raise ValueError(
            f"chinese: expected 'bigrams' or 'characters', got {chinese!r}"
        )
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    found: list[str] = []
    for piece in _PIECE.finditer(plain):
        run = piece["han"]
        if run is None:
            found.append(piece["word"])
        elif chinese == "characters" or len(run) == 1:
            found.extend(run)
        else:
            found.extend(run[place : place + 2] for place in range(len(run) - 1))
    return found


@dataclass(frozen=True)
class Vocabulary:
    """Known words, the most frequent first; ids are places from 1, and 0 is padding.

    An unknown word has no id: it is left out, so a text with no known word is a row of zeros.

    Args:
        words: each once.
        chinese: as in the function `words`, by which texts are cut.

    Raises:
        ValueError: a word stands there twice.
    """

    words: tuple[str, ...]
    chinese: str = "characters"

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_index", {word: id for id, word in enumerate(self.words, start=1)}
        )
        if len(self._index) != len(self.words):
            twice = next(
                word for word, count in Counter(self.words).items() if count > 1
            )
            raise ValueError(
                f"words: expected each word once, got {twice!r} more than once"
            )

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], min_count: int = 1, chinese: str = "characters"
    ) -> Vocabulary:
        """Collect the words that occur at least `min_count` times; ties in alphabetical order.

        Args:
            texts: any texts.
            min_count: how often a word has to occur in all of them.
            chinese: as in `words`.

        Returns:
            The vocabulary.

        Raises:
            ValueError: no word occurs so often, or one string in place of a list.
        """
        refuse_string("texts", texts)
        counts = Counter(word for text in texts for word in words(text, chinese))
        kept = sorted(
            (word for word in counts if counts[word] >= min_count),
            key=lambda word: (-counts[word], word),
        )
        if not kept:
            raise ValueError(
                f"texts: expected a word that occurs at least {min_count} times, got none "
                f"among {sum(counts.values())} words"
            )
        return cls(tuple(kept), chinese)

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, text: str) -> np.ndarray:
        """The ids of a text's known words in order, int64 (n_known,)."""
        known = [
            self._index[word]
            for word in words(text, self.chinese)
            if word in self._index
        ]
        return np.array(known, dtype=np.int64)

    def encode(self, texts: Sequence[str], length: int) -> np.ndarray:
        """The first `length` known words of each text, padded on the right.

        Args:
            texts: n of them.
            length: columns, at least 1.

        Returns:
            (n, length) int64 array; a text with no known word is all zeros.

        Raises:
            ValueError: a length below 1, or one string in place of a list of them.
        """
        refuse_string("texts", texts)
        if length < 1:
            raise ValueError(f"length: expected at least 1, got {length}.")
        rows = np.full((len(texts), length), PADDING, dtype=np.int64)
        for row, text in enumerate(texts):
            ids = self.ids(text)[:length]
            rows[row, : len(ids)] = ids
        return rows


def check_words(texts: Iterable[np.ndarray], n_words: int) -> None:
    """Require encoded texts: ids of a vocabulary, from 1 to `n_words`.

    Raises:
        ValueError: another id; the message names the first.
    """
    for row, ids in enumerate(texts):
        wrong = np.flatnonzero((np.asarray(ids) < 1) | (np.asarray(ids) > n_words))
        if wrong.size:
            raise ValueError(
                f"texts: expected ids from 1 to {n_words}, got {ids[wrong[0]]} at place {wrong[0]} of "
                f"text {row}; leave padding out"
            )


def refuse_string(name: str, texts: Iterable[str]) -> None:
    """Require a list of texts: one string would be read as its letters.

    Raises:
        ValueError: one string.
    """
    if isinstance(texts, str):
        raise ValueError(
            f"{name}: expected a list of texts, got one string; wrap it in a list"
        )
