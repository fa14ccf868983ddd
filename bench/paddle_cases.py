"""The networks of the book at the sizes of its chapters, on logs drawn from a seed.

The names, and what is built of a case, are those of the ladder of parity
(`recsys.book.parity`); here are larger settings and longer logs. A log has the shape of
the data set of its chapter: as many items, about as many events a user. Nothing is
fetched, and no framework is loaded.
"""

from functools import cache

import numpy as np

from recsys.book.parity.cases import CASES, Case, alone
from recsys.data import ImpressionLog, Interactions
from recsys.simulate.readers import planted_readers, planted_topics

FILMS, GOODS, PRODUCTS, BASKET_PRODUCTS = 1682, 12_101, 23_812, 11_202
GROUPS = 2010
HEADLINES, HEADLINE_WORDS, LONGEST_HEADLINE = 9075, 10_238, 12
WORDS, TEXTS, TEXT_LENGTH = 3000, 300, 195


def chances(count: int) -> np.ndarray:
    """A few items that many take and many that few do: (count,), with the sum 1."""
    weights = 1 / (10 + np.arange(count))
    return weights / weights.sum()


def taken(n_items: int, lengths: np.ndarray, rng: np.random.Generator) -> Interactions:
    """One history of distinct items a user, of these lengths."""
    popularity = chances(n_items)
    histories = [rng.choice(n_items, length, replace=False, p=popularity) for length in lengths]
    return Interactions.from_sequences(histories, np.arange(n_items))


@cache
def films() -> Interactions:
    """943 users with about 100 films each, as MovieLens 100K."""
    rng = np.random.default_rng(0)
    lengths = 20 + rng.exponential(86, size=943).astype(int)
    return taken(FILMS, lengths.clip(max=600), rng)


@cache
def ratings() -> Interactions:
    """100,000 ratings from 1 to 5, as MovieLens 100K."""
    rng = np.random.default_rng(1)
    users = np.arange(100_000) % 943
    items = np.arange(100_000) % FILMS
    values = 1.0 + rng.integers(5, size=100_000)
    return Interactions.from_ids(users, items, values, np.arange(100_000))


@cache
def goods() -> Interactions:
    """5,000 users with about nine products each, as Amazon Beauty."""
    rng = np.random.default_rng(2)
    return taken(GOODS, 5 + rng.geometric(0.25, size=5000) - 1, rng)


def bought(n_items: int, n_users: int, seed: int) -> Interactions:
    """Customers who come five to twenty times and take about six products, as Ta-Feng's."""
    rng = np.random.default_rng(seed)
    baskets = np.repeat(np.arange(n_users), rng.integers(5, 21, size=n_users))
    day = rng.integers(120, size=len(baskets))
    sizes = rng.geometric(1 / 6, size=len(baskets))
    items = rng.choice(n_items, size=sizes.sum(), p=chances(n_items))
    ordered = np.lexsort((np.repeat(day, sizes), np.repeat(baskets, sizes)))
    return Interactions(
        np.repeat(baskets, sizes)[ordered],
        items[ordered],
        np.ones(sizes.sum()),
        np.repeat(day, sizes)[ordered],
        np.arange(n_users),
        np.arange(n_items),
        time_unit="day",
    )


@cache
def shop() -> tuple[Interactions, np.ndarray]:
    """600 customers, and a group for each product."""
    return bought(PRODUCTS, 600, 3), np.arange(PRODUCTS) % GROUPS


@cache
def baskets() -> Interactions:
    """600 customers of a smaller shop."""
    return bought(BASKET_PRODUCTS, 600, 4)


@cache
def newsroom() -> tuple[ImpressionLog, np.ndarray]:
    """400 readers of 20 slates, and articles as vectors of 256 numbers."""
    vectors = np.random.default_rng(5).normal(size=(TEXTS, 256))
    planted = planted_readers(planted_topics(vectors, 24), 400, 2, 20, 5)
    return planted.log, vectors


@cache
def headlines() -> tuple[ImpressionLog, np.ndarray]:
    """400 readers of 20 slates, and headlines of up to twelve words."""
    rng = np.random.default_rng(6)
    fit = rng.normal(size=(HEADLINES, 24))
    planted = planted_readers(fit, 400, 2, 20, 5)
    words = 1 + rng.choice(HEADLINE_WORDS, (HEADLINES, LONGEST_HEADLINE), p=chances(HEADLINE_WORDS))
    lengths = rng.integers(5, LONGEST_HEADLINE + 1, size=HEADLINES)
    words[np.arange(LONGEST_HEADLINE) >= lengths[:, None]] = 0
    return planted.log, words


@cache
def texts() -> list[np.ndarray]:
    """300 texts of 195 words, as the Lee corpus; the last word of all stands in the first."""
    rng = np.random.default_rng(7)
    drawn = 1 + rng.choice(WORDS, (TEXTS, TEXT_LENGTH), p=chances(WORDS))
    drawn[0, 0] = WORDS
    return list(drawn)


def sized(beginning: str, world, **settings) -> dict[str, Case]:
    """The cases whose names begin so, with another log and larger settings."""
    found = {}
    for name, case in CASES.items():
        if name.startswith(beginning):
            found[name] = case._replace(world=world, settings={**case.settings, **settings})
    return found


SASREC = {"dim": 64, "n_blocks": 1, "n_heads": 4, "dropout": 0.2, "max_length": 50, "tokens": 1000}
PAIRS = {"dim": 32, "batch_size": 4096}
TOWER = {**PAIRS, "hidden": (64, 32, 16)}
NEWS = {"dim": 32, "hidden_dim": 32, "max_history": 50}

CHAPTERS = {
    **sized("SASRec", alone(films), **SASREC),
    **sized("SASRec, sampled", alone(goods), **SASREC, negatives=256),
    **sized("dot product", alone(films), **PAIRS),
    **sized("GMF", alone(films), **PAIRS),
    **sized("MLP", alone(films), **TOWER),
    **sized("NeuMF", alone(films), **TOWER),
    **sized("factorisation", alone(ratings), dim=32, batch_size=1024),
    **sized("history attention", alone(films), dim=32, max_length=20, tokens=1000),
    **sized("target ranker", shop, dim=32, hidden_dim=8, max_length=64, batch_size=256),
    **sized("next basket", alone(baskets), dim=16, max_length=80, batch_size=64, per_source=60),
    **sized("NRMS", newsroom, **NEWS, n_heads=4, dropout=0.1, batch_size=128),
}
for reader in ("self", "target", "mean"):
    CHAPTERS |= sized(f"NRMS, {reader}, words", headlines, **NEWS, n_heads=2, dropout=0.2, batch_size=64)
CHAPTERS |= sized("skip-gram", alone(texts), dim=32, window=5, batch_size=2048)
CHAPTERS |= sized("masked language", alone(texts), dim=48, n_blocks=1, n_heads=4, max_length=32, batch_size=32)

if CHAPTERS.keys() != CASES.keys():
    unsized = sorted(CASES.keys() - CHAPTERS.keys())
    raise ValueError(f"CHAPTERS: expected a size for every network, got none for {unsized}; add it")
