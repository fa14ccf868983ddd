"""`recsys train`: train a model of the book on a data set of the catalogue, from a terminal.

A directory holds one run: `state.safetensors` while it trains, from which the same command
goes on, and `weights.safetensors` at its end. The model sees the train and validation parts
of the split by leave-last-out, so that the test part can still be read with it.
"""

from __future__ import annotations

import logging
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from recsys.data import DataError, Interactions, load

STATE, WEIGHTS = "state.safetensors", "weights.safetensors"


def train(
    model: str, data: str, to: Path, epochs: int | None = None, log: Path | None = None
) -> int:
    """Train, or go on with, one model in one directory, and say what happens on the way.

    Args:
        model: one of `MODELS`.
        data: a name of the catalogue.
        to: directory of the state and the weights, made where it is missing.
        epochs: in place of the model's own number.
        log: directory for TensorBoard.

    Returns:
        The exit status: 0, 1 after an error, which was said in one line, 130 after Ctrl-C.
    """
    try:
        return _train(model, data, Path(to), epochs, log)
    except KeyboardInterrupt as interrupt:
        said = " ".join(map(str, interrupt.args)) or _interrupted_early(
            Path(to) / STATE
        )
        print(
            f"recsys: {said}\nTo resume:\n  {_command(model, data, to, epochs, log)}",
            file=sys.stderr,
        )
        return 130
    except (DataError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1


def _train(
    model: str, data: str, to: Path, epochs: int | None, log: Path | None
) -> int:
    if model not in MODELS:
        raise ValueError(f"model: expected one of {', '.join(MODELS)}, got {model!r}")
    from recsys.evaluation import leave_last_out

    split = leave_last_out(_usable(load(data).interactions, model, data))
    fitted = split.train_and_validation
    recommender = MODELS[model](epochs, to / STATE, log)
    print(
        f"Training {model} on {data}: {len(fitted):,} of {len(split.interactions):,} events, the train and "
        f"validation parts of {split.protocol}",
        flush=True,
    )
    with _Epochs() as said:
        recommender.fit(fitted)
    weights = to / WEIGHTS
    recommender.save(weights)
    result = recommender.result
    print(
        f"{'Finished' if said.lines else 'Was finished already'}: after epoch {len(result.losses)}, "
        f"{result.steps:,} steps, mean loss {result.losses[-1]:.4f}; weights in {weights}"
    )
    kind, config = type(recommender).__name__, type(recommender.config).__name__
    print(
        f"To load them: {kind}(settings_of(path, {config})).load(path, interactions); "
        "settings_of is in recsys.neural.recommender"
    )
    return 0


def _usable(log: Interactions, model: str, data: str) -> Interactions:
    """The rows that the model can learn from: what was taken, or ratings that differ.

    Raises:
        ValueError: all ratings are one number.
    """
    if model in RATINGS:
        if len(log) and (log.values == log.values[0]).all():
            raise ValueError(
                f"{data}: expected ratings that differ, got {len(log):,} of {log.values[0]:g}; ratings "
                f"that are all {log.values[0]:g} hold nothing to learn, so take another model or data set"
            )
        return log
    taken = log.taken()
    if len(taken) < len(log):
        print(
            f"Left out {len(log) - len(taken):,} of {len(log):,} rows of {data}: their value is 0 or less, so "
            f"nothing was taken",
            flush=True,
        )
    return taken


def _sasrec(epochs: int | None, checkpoint: Path, log: Path | None):
    from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

    return SASRecRecommender(_with(SASRecConfig(), epochs), checkpoint, log)


def _factorisation(epochs: int | None, checkpoint: Path, log: Path | None):
    from recsys.torch.factorisation import FactorisationConfig, FactorisationRecommender

    return FactorisationRecommender(
        _with(FactorisationConfig(), epochs), checkpoint, log
    )


def _interrupted_early(state: Path) -> str:
    if state.exists():
        return f"interrupted before the first step; the state of what was trained before is in {state}"
    return "interrupted before the first step; there was nothing to save"


MODELS = {"sasrec": _sasrec, "factorisation": _factorisation}
RATINGS = ("factorisation",)
"""Those that learn from values; to the others each row is something taken."""


def _with(config, epochs: int | None):
    return (
        config
        if epochs is None
        else replace(config, training=replace(config.training, epochs=epochs))
    )


def _command(
    model: str, data: str, to: Path, epochs: int | None, log: Path | None
) -> str:
    """The command that goes on where this one stopped: the same again."""
    words = ["recsys", "train", model, "--data", data, "--to", str(to)]
    words += [] if epochs is None else ["--epochs", str(epochs)]
    words += [] if log is None else ["--log", str(log)]
    return shlex.join(words)


class _Epochs(logging.Handler):
    """Prints what the loop says of each epoch, above the progress bar, while it is entered."""

    def __enter__(self) -> _Epochs:
        self.lines = 0
        self.logger = logging.getLogger("recsys.training.loop")
        self.before = self.logger.level
        self.logger.addHandler(self)
        self.logger.setLevel(logging.INFO)
        return self

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1
        tqdm.write(record.getMessage())
        sys.stdout.flush()

    def __exit__(self, *error) -> None:
        self.logger.removeHandler(self)
        self.logger.setLevel(self.before)
