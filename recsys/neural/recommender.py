"""What recommenders with a network share: settings, a seed, a log, weights in a file.

A framework's class of a recommender names `engine` (the module `recsys.torch.engine` or
its twin), `network_class` and `loss`. All else is written once, here and in the file of
each recommender.

One life for all:

- the constructor takes `config`, `checkpoint` and `log`; `config.training` is the
  `FitConfig`;
- `fit` makes a network beside the recommender, and ends in `train`. Where it takes
  held-out data, the metric is read on them after each epoch, the best weights are kept,
  and `config.training.patience` may end the training;
- `score` asks the network, through `run`; `save` and `load` keep and read its weights;
- what goes wrong before the first step, such as a checkpoint of something else, leaves
  the recommender as it was: unfitted, or with its earlier fit. What goes wrong later (a
  loss that is not finite, an interrupt, a full disk) leaves it with the weights of the
  last good step.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np

from recsys.data import Interactions
from recsys.neural.held_out import held_out_ndcg
from recsys.recommender import check_log
from recsys.training.checkpoint import (
    digest,
    read_checkpoint,
    read_header,
    write_checkpoint,
)
from recsys.training.loop import FitConfig, fit
from recsys.training.steps import rows


class NetworkRecommender:
    """A network, its settings, and the log it was fitted on.

    Args:
        config: sizes and training.
        checkpoint: file that keeps the state of the training; a fit that was stopped
            goes on from it.
        log: directory for TensorBoard.
    """

    engine: ModuleType
    network_class: type
    config_class: type
    loss: Callable

    def __init__(
        self,
        config: Any = None,
        checkpoint: Path | None = None,
        log: Path | None = None,
    ):
        self.config, self.checkpoint, self.log = (
            config or self.config_class(),
            checkpoint,
            log,
        )

    def save(self, path: Path) -> None:
        """Write the weights.

        Args:
            path: where to.

        Raises:
            ValueError: not fitted.
            OSError: it could not be written; an earlier file stays as it was.
        """
        self.check_fitted()
        weights = self._engine(self.network).weights()
        write_checkpoint(Path(path), weights, {}, self._identity(self.interactions))

    def load(self, path: Path, interactions: Interactions) -> Self:
        """Read the weights instead of training.

        Args:
            path: what `save` wrote.
            interactions: the log to recommend from, over the vocabulary that was
                trained on.

        Returns:
            Itself.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: as `read_checkpoint`, of other settings too (`settings_of` reads
                those in the file), or weights of another shape; the recommender stays
                as it was.
        """
        check_log("interactions", interactions)
        weights, _ = read_checkpoint(Path(path), self._identity(interactions))
        engine = self._engine(self._new(interactions))
        try:
            engine.load_weights(weights)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        engine.training(False)
        self._take(interactions, engine.network)
        return self

    def train(
        self,
        interactions: Interactions,
        batches: Callable,
        validate: Callable | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> Self:
        """Do what every `fit` ends in: train a new network, and become it.

        Args:
            interactions: what is trained on.
            batches: as `recsys.training.loop.fit`.
            validate: from a network to a metric, higher is better.
            identity: what a checkpoint of the training belongs to, beside model and
                settings.

        Returns:
            Itself, with `result`, the course of the training; None where it did not
            come to its end.

        Raises:
            ValueError, KeyboardInterrupt, OSError: as `recsys.training.loop.fit`.
        """
        engine = self._engine(self._new(interactions))
        belongs_to = {**self._identity(interactions), **(identity or {})}
        self.result = fit(
            engine,
            batches,
            self.config.training,
            validate,
            self.checkpoint,
            belongs_to,
            count=self.targets,
            log=self.log,
            adopt=lambda network: self._take(interactions, network),
        )
        return self

    def train_on(
        self,
        interactions: Interactions,
        batches: Callable,
        validation: Interactions | None = None,
    ) -> Self:
        """Train on a log, with held-out events as the metric; see `train`.

        Args:
            interactions: what is trained on; its events become part of the identity.
            batches: as `recsys.training.loop.fit`.
            validation: held-out events over the same users and items, or None.
        """
        if validation is None:
            return self.train(
                interactions, batches, None, {"data": log_digest(interactions)}
            )
        metric = self.held_out_metric(interactions, validation)
        identity = {
            "data": log_digest(interactions),
            "validation": log_digest(validation),
        }
        return self.train(interactions, batches, metric, identity)

    def held_out_metric(
        self, interactions: Interactions, validation: Interactions
    ) -> Callable[[Any], float]:
        """Make the metric on held-out events: `held_out_ndcg`, if not another."""
        return held_out_ndcg(self, interactions, validation)

    def run(self, function: Callable, *arrays: np.ndarray) -> Any:
        """Call a network, or a method of it, on arrays: what it returns, as arrays."""
        return self.engine.run(function, *arrays)

    def check_fitted(self) -> None:
        """Require that there is a network.

        Raises:
            ValueError: not fitted.
        """
        if not hasattr(self, "network"):
            raise ValueError(
                f"{type(self).__name__} is not fitted: call fit(interactions) first."
            )

    @staticmethod
    def targets(batch: tuple[np.ndarray, ...]) -> int:
        """Count what a batch's loss is the mean over: rows, if nothing else is said."""
        return rows(batch)

    def _engine(self, network: Any) -> Any:
        return self.engine.Engine(network, type(self).loss, self.config.training)

    def _network(self, interactions: Interactions) -> Any:
        """The network for these users and items, not yet trained."""
        return self.network_class(interactions.n_items, self.config)

    def _new(self, interactions: Interactions) -> Any:
        """The network with the seed's first weights; the caller's generator stays."""
        with self.engine.seeded(self.config.training.seed):
            return self._network(interactions)

    def _vocabulary(self, interactions: Interactions) -> tuple[np.ndarray, ...]:
        """What the weights depend on, apart from the settings."""
        return (interactions.item_ids,)

    def _take(self, interactions: Interactions, network: Any) -> None:
        """Become what was trained or read, all of it at once."""
        self.interactions, self.network, self.result = interactions, network, None

    def _identity(self, interactions: Interactions) -> dict:
        """What a file of weights is compared with before it is read."""
        vocabulary = digest(*self._vocabulary(interactions))
        return {
            "model": self.network_class.__name__,
            "config": asdict(self.config),
            "vocabulary": vocabulary,
        }


def config_from(config_class: type, settings: Mapping[str, Any]) -> Any:
    """Make a config of one flat dict, as a grid of settings holds it.

    Args:
        config_class: of the recommender, such as `SASRecConfig`.
        settings: names of the config and of `FitConfig`, which go to `training`.

    Returns:
        The settings, of this class; what is not named of the training has the
        defaults of `FitConfig`.

    Raises:
        TypeError: a name of neither.
        ValueError: a number out of range.
    """
    of_training = {field.name for field in fields(FitConfig)}
    training, shape = {}, {}
    for name, value in settings.items():
        part = training if name in of_training else shape
        part[name] = value
    return config_class(**shape, training=FitConfig(**training))


def settings_of(path: Path, config_class: type) -> Any:
    """Read the settings that weights were made with, to make what loads them.

    Args:
        path: what `save` wrote.
        config_class: of the recommender, such as `SASRecConfig`.

    Returns:
        The settings, of this class.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not whole, or no settings of this class in it.
    """
    written = read_header(Path(path))["identity"].get("config", {})
    try:
        training = FitConfig(**written["training"])
        settings = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in written.items()
        }
        return config_class(**{**settings, "training": training})
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected weights with the settings of a {config_class.__name__}, got {error}; "
            "give the class of the recommender that saved them"
        ) from error


def log_digest(interactions: Interactions) -> str:
    """Name the events of a log by a hash."""
    return digest(
        interactions.users, interactions.items, interactions.values, interactions.times
    )
