"""``recsys train``: train a model of the book on a data set of the catalogue, from a terminal.

A directory holds one run: ``state.safetensors`` while it trains, from which the same command
goes on, and ``weights.safetensors`` at its end. The model sees the train and validation parts
of the split by leave-last-out, so that the test part can still be read with it.
"""

from __future__ import annotations

import logging
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from recsys.data import DataError, load


def train(model: str, data: str, to: Path, epochs: int | None = None, log: Path | None = None) -> int:
    """Train, or go on with, one model in one directory, and say what happens on the way.

    Args:
        model: one of ``MODELS``.
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
        said = " ".join(map(str, interrupt.args)) or "interrupted before the first step; there was nothing to save"
        print(f"recsys: {said}\nTo resume:\n  {_command(model, data, to, epochs, log)}", file=sys.stderr)
        return 130
    except (DataError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1


def _train(model: str, data: str, to: Path, epochs: int | None, log: Path | None) -> int:
    if model not in MODELS:
        raise ValueError(f"Unknown model {model!r}. Known: {', '.join(MODELS)}.")
    from recsys.evaluation import leave_last_out

    split = leave_last_out(load(data).interactions)
    fitted = split.train_and_validation
    recommender = MODELS[model](epochs, to / "state.safetensors", log)
    print(f"Training {model} on {data}: {len(fitted):,} of {len(split.interactions):,} events, the train and "
          f"validation parts of {split.protocol}", flush=True)  # fmt: skip
    with _Epochs() as said:
        recommender.fit(fitted)
    weights = to / "weights.safetensors"
    recommender.save(weights)
    result = recommender.result
    print(f"{'Finished' if said.lines else 'Was finished already'}: after epoch {len(result.losses)}, "
          f"{result.steps:,} steps, mean loss {result.losses[-1]:.4f}; weights in {weights}")  # fmt: skip
    return 0


def _sasrec(epochs: int | None, checkpoint: Path, log: Path | None):
    from recsys.torch.sasrec import SASRecConfig, SASRecRecommender

    return SASRecRecommender(_with(SASRecConfig(), epochs), checkpoint, log)


def _factorisation(epochs: int | None, checkpoint: Path, log: Path | None):
    from recsys.torch.factorisation import FactorisationConfig, FactorisationRecommender

    return FactorisationRecommender(_with(FactorisationConfig(), epochs), checkpoint, log)


MODELS = {"sasrec": _sasrec, "factorisation": _factorisation}


def _with(config, epochs: int | None):
    return config if epochs is None else replace(config, training=replace(config.training, epochs=epochs))


def _command(model: str, data: str, to: Path, epochs: int | None, log: Path | None) -> str:
    """The command that goes on where this one stopped: the same again."""
    words = ["recsys", "train", model, "--data", data, "--to", str(to)]
    words += [] if epochs is None else ["--epochs", str(epochs)]
    words += [] if log is None else ["--log", str(log)]
    return shlex.join(words)


class _Epochs(logging.Handler):
    """Prints what the loop says of each epoch, above the progress bar, while it is entered."""

    def __enter__(self) -> _Epochs:
        self.lines = 0
        self.logger = logging.getLogger("recsys.torch.fit")
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
