"""What recommenders of this room share: settings, a network from a seed, weights in a file.

How one is trained stands in its own file, and what a `fit` ends in in `recsys.torch.validation`.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from recsys.data import Interactions
from recsys.torch.checkpoint import digest, load_model, save_model


class NetworkRecommender:
    """A network, its settings, and the log it was fitted on.

    A subclass names `network_class` and `config_class`, makes `_network(interactions)`, and has
    `fit` and `score`.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped goes
            on from it.
        log: directory for TensorBoard.
    """

    network_class: type[nn.Module]
    config_class: type

    def __init__(self, config: Any = None, checkpoint: Path | None = None, log: Path | None = None):
        self.config, self.checkpoint, self.log = config or self.config_class(), checkpoint, log

    def save(self, path: Path) -> None:
        """Write the weights.

        Args:
            path: where to.

        Raises:
            ValueError: not fitted.
            OSError: it could not be written; an earlier file stays as it was.
        """
        if not hasattr(self, "network"):
            raise ValueError(f"{type(self).__name__} is not fitted: call fit(interactions) first.")
        save_model(self.network, Path(path), self._identity(self.interactions))

    def load(self, path: Path, interactions: Interactions) -> Self:
        """Read the weights instead of training.

        Args:
            path: what `save` wrote.
            interactions: the log to recommend from, over the vocabulary that was trained on.

        Returns:
            Itself.

        Raises:
            FileNotFoundError, ValueError: as `read_checkpoint`; the recommender stays as it was.
        """
        network = self._new(interactions).eval()
        load_model(network, Path(path), self._identity(interactions))
        self._take(interactions, network)
        return self

    def _network(self, interactions: Interactions) -> nn.Module:
        """The network for these users and items, not yet trained."""
        return self.network_class(interactions.n_items, self.config)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        """What the weights depend on, apart from the settings."""
        return (interactions.item_ids,)

    def _take(self, interactions: Interactions, network: nn.Module) -> None:
        """Become what was trained or read, all of it at once."""
        self.interactions, self.network, self.result = interactions, network, None

    def _new(self, interactions: Interactions) -> nn.Module:
        """The network with the first weights of the seed; the generator of the caller stays as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.training.seed)
            return self._network(interactions)

    def _identity(self, interactions: Interactions) -> dict:
        """What a file of weights is compared with before it is read."""
        vocabulary = digest(*self._vocabulary(interactions))
        return {"model": self.network_class.__name__, "config": asdict(self.config), "vocabulary": vocabulary}
