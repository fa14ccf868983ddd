"""From the name of an arm and its settings to a recommender."""

from collections.abc import Mapping
from typing import Any

from recsys.baselines import EASE, ItemKNN, NGram
from recsys.baselines.transitions import TransitionCounter
from recsys.neural.recommender import config_from
from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

COUNTERS = {
    "counter": TransitionCounter,
    "EASE": EASE,
    "item-kNN": ItemKNN,
    "n-gram": NGram,
}
"""What counts and is not trained; all weigh an event by its age, or read the last few."""


def build(arm: str, settings: Mapping[str, Any], seed: int) -> Any:
    """Make a recommender.

    Args:
        arm: of `COUNTERS`, or a mixer of the network.
        settings: drawn from the arm's space.
        seed: of the network; counters have none.

    Returns:
        The recommender, not fitted.
    """
    if arm in COUNTERS:
        return COUNTERS[arm](**settings)
    return SASRecRecommender(
        config_from(SASRecConfig, {**settings, "mixer": arm, "seed": seed})
    )
