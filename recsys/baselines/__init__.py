"""Recommenders without a network that any model has to beat, each small enough to read.

By what they count: `popularity`, `frequency`, `transitions`, `ngram`, `neighbours`, `up_cf`, `tifu_knn`;
by what they solve for: `ease`, `als`; `basket_ranker` trains trees on what `proposals` proposes,
`content` weighs article vectors without training, `blend` adds several up. All have
`fit(interactions)` and `score(users, history=None)`. `bm25` ranks documents for a query instead.
`usual_baselines` names those that a new log is read with first.
All are NumPy and SciPy but the trees, which are scikit-learn's.

Scores may tie; the rule that orders ties belongs to the ranking (`recsys.evaluation.TIE_RULE`).
`BM25`, `Blend` and `ContentAttention` are imported from their modules; `recency_matrix` stands in
`recsys.recommender` and is here for whoever writes another.
"""

from recsys.baselines.als import ImplicitALS
from recsys.baselines.basket_ranker import BasketRanker
from recsys.baselines.ease import EASE
from recsys.baselines.frequency import PersonalFrequency
from recsys.baselines.neighbours import ItemKNN, UserKNN
from recsys.baselines.ngram import NGram
from recsys.baselines.popularity import Popularity
from recsys.baselines.tifu_knn import TIFUKNN
from recsys.baselines.transitions import Markov, TransitionCounter
from recsys.baselines.up_cf import UPCF
from recsys.baselines.usual import usual_baselines
from recsys.recommender import recency_matrix

__all__ = [
    "EASE",
    "TIFUKNN",
    "UPCF",
    "BasketRanker",
    "ImplicitALS",
    "ItemKNN",
    "Markov",
    "NGram",
    "PersonalFrequency",
    "Popularity",
    "TransitionCounter",
    "UserKNN",
    "recency_matrix",
    "usual_baselines",
]
