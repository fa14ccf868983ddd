"""`recsys pays`: what attention buys on one log, asked as the book asks it.

The same network with attention and with the learned decay, a counter beside them,
settings drawn from the registered space, chosen on validation, the test read once a
seed. What is made is kept in `.reproduce`: a run that was stopped goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd

from recsys.book import pieces, studies
from recsys.book.pays import logs, registered
from recsys.book.pays.report import told
from recsys.book.root import root
from recsys.cli.log import Log
from recsys.data import DataError
from recsys.evaluation.verdicts import Verdict
from recsys.neural.recommender import log_digest

STUDY = "pays_movielens"
ARMS = ["attention", "decay", "counter"]


def pays(
    options: Mapping[str, str | None],
    after_a_cut: bool = False,
    settings: int = 12,
    seeds: int = 5,
    seen: bool = False,
) -> int:
    """Print the level of each arm, and whether attention pays.

    Args:
        options: the log, as for `Log`.
        after_a_cut: ask for all that comes after one date, rather than for each user's
            last event.
        settings: drawn for each arm.
        seeds: of the networks.
        seen: whether items of a user's history may be recommended again.

    Returns:
        The exit status: 0, or 1 after an error, which was said in one line.
    """
    try:
        _pays(options, after_a_cut, settings, seeds, seen)
    except (DataError, ValueError, OSError) as error:
        print(f"recsys: {error}", file=sys.stderr)
        return 1
    return 0


def _pays(
    options: Mapping, after_a_cut: bool, settings: int, seeds: int, seen: bool
) -> None:
    _check(settings, seeds)
    at, source = root(), Log(**options)
    log = source.read().interactions.taken()
    name = f"{source.name}, {'after a cut' if after_a_cut else 'last out'}"
    config = registered(at / "studies", STUDY) | {
        "arms": ARMS,
        "worlds": [[name]],
        "settings": settings,
        "seeds": list(range(seeds)),
        "repeats": seen,
    }
    made_from = {
        "log": log_digest(log),
        "config": config,
        "code": studies.fingerprint(at, STUDY, ["pieces"])["code"],
    }
    kept = at / ".reproduce" / "pieces" / f"pays-{log_digest(log)[:16]}"
    made = logs.pieces(config, lambda data: log)
    done, _ = pieces.make(kept, made_from, made, print)
    _say(name, told(config, done, name, name), settings, seeds)
    print(logs.protocol(logs.world(config, name, lambda data: log)))


def _check(settings: int, seeds: int) -> None:
    if settings < 1:
        raise ValueError(
            f"--settings: expected at least 1, got {settings}; an arm has to try one"
        )
    if seeds < 2:
        raise ValueError(
            f"--seeds: expected at least 2, got {seeds}; one seed does not tell how far "
            "seeds move a result"
        )


def _say(name: str, found: Mapping[str, Any], settings: int, seeds: int) -> None:
    levels = {
        arm: {
            "validation": row["validation"],
            logs.METRIC: row["level"][0],
            "at an end of its space": ", ".join(row["at an end"]),
        }
        for arm, row in found["arms"].items()
    }
    print(f"{name}: {found['units']:,} users, {settings} settings, {seeds} seeds")
    print(pd.DataFrame(levels).T.to_string())
    row = found["attention minus"]["decay"]
    verdict = Verdict(**{key: row[key] for key in Verdict.__dataclass_fields__})
    print(
        "Attention minus decay: {difference:.4f} [{low:.4f}, {high:.4f}], p {p_value:.3f}; "
        "{smallest:.4f} could have been seen".format(**row)
    )
    print(f"Verdict: {verdict.says(row['p_value'])}")
