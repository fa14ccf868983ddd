"""`recsys train`: train a model of the book on a log, from a terminal.

The log is a data set of the catalogue, or a file of one's own.

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

from recsys.cli.log import Log
from recsys.cli.models import (
    STATE,
    WEIGHTS,
    recommender_class,
    usable,
    write_run,
)
from recsys.data import DataError


def train(
    model: str,
    data: Log,
    to: Path,
    epochs: int | None = None,
    log: Path | None = None,
    framework: str = "torch",
) -> int:
    """Train, or go on with, one model in one directory, and say what happens on the way.

    Args:
        model: one of `MODELS`.
        data: what is read.
        to: directory of the state and the weights, made where it is missing.
        epochs: in place of the model's own number.
        log: directory for TensorBoard.
        framework: one of `FRAMEWORKS`.

    Returns:
        The exit status: 0, 1 after an error, which was said in one line, 130 after Ctrl-C.
    """
    try:
        return _train(model, data, Path(to), epochs, log, framework)
    except KeyboardInterrupt as interrupt:
        said = " ".join(map(str, interrupt.args)) or _interrupted_early(
            Path(to) / STATE
        )
        print(
            f"recsys: {said}\nTo resume:\n  {_command(model, data, to, epochs, log, framework)}",
            file=sys.stderr,
        )
        return 130
    except (DataError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1


def _train(
    model: str,
    data: Log,
    to: Path,
    epochs: int | None,
    log: Path | None,
    framework: str,
) -> int:
    kind = recommender_class(model, framework)
    from recsys.evaluation import leave_last_out

    split = leave_last_out(usable(data.read().interactions, model, data.name))
    fitted = split.train_and_validation
    config = _with(kind.config_class(), epochs)
    recommender = kind(config, to / STATE, log)
    print(
        f"Training {model} on {data.name}: {len(fitted):,} of {len(split.interactions):,} events, the train and "
        f"validation parts of {split.protocol}",
        flush=True,
    )
    with _Epochs() as said:
        recommender.fit(fitted)
    weights = to / WEIGHTS
    recommender.save(weights)
    write_run(to, model, data, framework, fitted)
    result = recommender.result
    print(
        f"{'Finished' if said.lines else 'Was finished already'}: after epoch {len(result.losses)}, "
        f"{result.steps:,} steps, mean loss {result.losses[-1]:.4f}; weights in {weights}"
    )
    print(f"To compare it: recsys evaluate {shlex.quote(str(to))}")
    print(f"To see a list: recsys recommend {shlex.quote(str(to))} USER")
    print(
        f"To load them: {kind.__name__}(settings_of(path, {type(config).__name__})).load(path, interactions); "
        "settings_of is in recsys.neural.recommender"
    )
    return 0


def _interrupted_early(state: Path) -> str:
    if state.exists():
        return f"interrupted before the first step; the state of what was trained before is in {state}"
    return "interrupted before the first step; there was nothing to save"


def _with(config, epochs: int | None):
    return (
        config
        if epochs is None
        else replace(config, training=replace(config.training, epochs=epochs))
    )


def _command(
    model: str,
    data: Log,
    to: Path,
    epochs: int | None,
    log: Path | None,
    framework: str,
) -> str:
    """The command that goes on where this one stopped: the same again."""
    words = ["recsys", "train", model, *data.words(), "--to", str(to)]
    words += [] if epochs is None else ["--epochs", str(epochs)]
    words += [] if log is None else ["--log", str(log)]
    words += [] if framework == "torch" else ["--framework", framework]
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
