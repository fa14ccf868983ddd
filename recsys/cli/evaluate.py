"""`recsys evaluate`: a table of baselines and a trained model on the test of a log.

The log is split by leave-last-out, as `recsys train` does, and every model ranks all
items after being fitted on train and validation. Means have 95% intervals over users;
the model's lead over each baseline is paired over the same users.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from recsys.baselines import usual_baselines
from recsys.baselines.usual import EASE_ITEMS
from recsys.cli.log import Log
from recsys.cli.models import Run, read_run, trained, usable
from recsys.data import DataError, Interactions
from recsys.evaluation import compare_table, leads, leave_last_out
from recsys.evaluation import evaluate as evaluation_of
from recsys.neural.recommender import log_digest


def evaluate(
    directory: Path | None,
    k: int = 10,
    seen: bool = False,
    framework: str = "",
    options: Mapping[str, str | None] = {},
) -> int:
    """Print how the usual baselines, and a trained model beside them, do on the test.

    Args:
        directory: of a run of `recsys train` that has ended; None asks the baselines
            alone.
        k: length of the lists.
        seen: whether items of a user's history may be recommended again.
        framework: what serves the model; the one that trained, if empty.
        options: the log, or what of the run's log is said anew.

    Returns:
        The exit status: 0, or 1 after an error, which was said in one line.
    """
    try:
        _evaluate(directory, k, seen, framework, options)
    except (DataError, ValueError, OSError, ModuleNotFoundError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1
    return 0


def _evaluate(
    directory: Path | None, k: int, seen: bool, framework: str, options: Mapping
) -> None:
    run = read_run(directory) if directory else None
    log = _log(run, options)
    taken = usable(log.read().interactions, run.model if run else "", log.name)
    split = leave_last_out(taken)
    models = usual_baselines(taken, seen)
    if "EASE" not in models:
        print(f"EASE is left out: {taken.n_items:,} items, at most {EASE_ITEMS:,}")
    if run:
        fitted = split.train_and_validation
        _refuse_other_rows(run, directory, log, fitted)
        models[run.model] = trained(directory, run, framework, fitted)
    results = {
        name: evaluation_of(
            model, split, k, repeats=seen, fit=not (run and name == run.model)
        )
        for name, model in models.items()
    }
    table = compare_table(results, [f"nDCG@{k}", f"hit@{k}"])
    if run:
        table = table.join(leads(results, run.model, f"nDCG@{k}").astype(str))
    print(table.fillna("").to_string())
    print(f"{log.name}: {results['popularity'].protocol}")
    print("In brackets: 95% intervals over users. Baselines have their defaults.")


def _log(run: Run | None, options: Mapping) -> Log:
    """What the run was trained on, but for what is said anew."""
    if run:
        return run.log.with_options(**options)
    if options["data"] is None:
        raise ValueError(
            "expected the directory of a run, or a log, got neither; name one: "
            "recsys evaluate DIR, or recsys evaluate --data NAME"
        )
    return Log(**options)


def _refuse_other_rows(
    run: Run, directory: Path, log: Log, fitted: Interactions
) -> None:
    """Require that the model learnt from these very rows."""
    if run.fitted != log_digest(fitted):
        raise ValueError(
            f"{directory}: expected a model trained on the train and validation parts "
            f"of {log.name} as it is now, got one of other rows, which may hold the test; "
            "train it again in another directory"
        )
