"""Recommenders in NumPy and SciPy that any model has to beat, each small enough to read.

All have ``fit(interactions)`` and ``score(users, history=None)``. Scores may tie;
the rule that orders ties belongs to the ranking (``recsys.evaluation.TIE_RULE``).
"""

from recsys.baselines.als import ImplicitALS
from recsys.baselines.basket_ranker import BasketRanker
from recsys.baselines.ease import EASE
from recsys.baselines.frequency import PersonalFrequency
from recsys.baselines.neighbours import ItemKNN, UserKNN
from recsys.baselines.popularity import Popularity
from recsys.baselines.tifu_knn import TIFUKNN
from recsys.baselines.transitions import Markov, TransitionCounter
from recsys.baselines.up_cf import UPCF
from recsys.recommender import recency_matrix

__all__ = ["EASE", "TIFUKNN", "UPCF", "BasketRanker", "ImplicitALS", "ItemKNN", "Markov", "PersonalFrequency", "Popularity",
           "TransitionCounter", "UserKNN", "recency_matrix"]
