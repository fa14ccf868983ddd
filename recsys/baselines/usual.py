"""What a new log is read with first: the baselines that cost seconds and no tuning."""

from recsys.baselines.ease import EASE
from recsys.baselines.frequency import PersonalFrequency
from recsys.baselines.neighbours import ItemKNN
from recsys.baselines.popularity import Popularity
from recsys.baselines.transitions import Markov, TransitionCounter
from recsys.data import Interactions
from recsys.recommender import Recommender

EASE_ITEMS = 10_000
"""Up to so many items EASE is asked: each of its matrices takes 0.8 GB there."""


def usual_baselines(
    interactions: Interactions, repeats: bool = False
) -> dict[str, Recommender]:
    """Baselines by the names that tables print, with their defaults, not yet fitted.

    Args:
        interactions: the log they are for; only its number of items counts.
        repeats: whether items may be recommended again; then what the user took most is
            asked too.

    Returns:
        New recommenders.
    """
    baselines = {
        "popularity": Popularity(),
        "last item": Markov(),
        "transitions": TransitionCounter(),
        "item-kNN": ItemKNN(),
    }
    if interactions.n_items <= EASE_ITEMS:
        baselines["EASE"] = EASE()
    if repeats:
        baselines["own frequency"] = PersonalFrequency()
    return baselines
