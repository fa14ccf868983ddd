"""The models that the command line trains and serves, and the rows that each learns from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from recsys.cli.log import COLUMNS, Log
from recsys.data import Interactions
from recsys.neural.recommender import log_digest, settings_of

STATE, WEIGHTS, RUN = "state.safetensors", "weights.safetensors", "run.json"
"""What a run's directory holds: state, weights, and which model and data they belong to."""

MODELS = {
    "sasrec": "SASRecRecommender",
    "factorisation": "FactorisationRecommender",
}
"""From a name to the class in the file of that name, in either framework."""

RATINGS = ("factorisation",)
"""Those that learn from values; to the others each row is something taken."""

FRAMEWORKS = ("torch", "paddle")


def recommender_class(model: str, framework: str) -> type:
    """Load the framework's class of a model.

    Args:
        model: one of `MODELS`.
        framework: one of `FRAMEWORKS`.

    Returns:
        The class.

    Raises:
        ValueError: no such model or framework.
        ModuleNotFoundError: the framework is not installed.
    """
    for name, wanted, known in (
        ("model", model, tuple(MODELS)),
        ("framework", framework, FRAMEWORKS),
    ):
        if wanted not in known:
            raise ValueError(
                f"{name}: expected one of {', '.join(known)}, got {wanted!r}"
            )
    return getattr(import_module(f"recsys.{framework}.{model}"), MODELS[model])


def usable(log: Interactions, model: str, data: str) -> Interactions:
    """Keep the rows that a model can learn from, and say how many go.

    Args:
        log: the whole of a data set.
        model: one of `MODELS`.
        data: its name, for the message.

    Returns:
        Ratings that differ, or what was taken.

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


def write_run(
    directory: Path, model: str, log: Log, framework: str, fitted: Interactions
) -> None:
    """Note beside the weights what they belong to.

    Args:
        directory: of the run.
        model: one of `MODELS`.
        log: what was read.
        framework: what trained it.
        fitted: the rows that it learnt from, of which a hash is kept.
    """
    run = {
        "model": model,
        "framework": framework,
        "fitted": log_digest(fitted),
        **log.note(),
    }
    (directory / RUN).write_text(json.dumps(run) + "\n", "utf-8")


@dataclass(frozen=True)
class Run:
    """What `write_run` noted; `fitted` is empty in a note of earlier versions."""

    model: str
    log: Log
    framework: str
    fitted: str = ""


def read_run(directory: Path) -> Run:
    """Read what `write_run` noted.

    Args:
        directory: of the run.

    Returns:
        Model, log, framework and hash of the rows.

    Raises:
        ValueError: no run has ended there, or the note can't be read.
    """
    path = directory / RUN
    try:
        run = json.loads(path.read_text("utf-8"))
        log = Log(**{name: run[name] for name in ("data", *COLUMNS) if name in run})
        return Run(run["model"], log, run["framework"], run.get("fitted", ""))
    except FileNotFoundError as error:
        raise ValueError(
            f"{directory}: expected {RUN} and {WEIGHTS} of a training that has ended, got none; "
            f"recsys train MODEL --data NAME --to {directory} writes them"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected model, data and framework, got {error}; "
            "call the same recsys train again"
        ) from error


def trained(
    directory: Path, run: Run, framework: str, interactions: Interactions
) -> Any:
    """Load the weights of a run.

    Args:
        directory: of the run.
        run: its note.
        framework: what serves; the one that trained, if empty.
        interactions: what it recommends from.

    Returns:
        The recommender.

    Raises:
        ValueError: weights of other items, or not whole.
        OSError: no weights.
    """
    kind = recommender_class(run.model, framework or run.framework)
    config = settings_of(directory / WEIGHTS, kind.config_class)
    return kind(config).load(directory / WEIGHTS, interactions)
