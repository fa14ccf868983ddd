"""`recsys pays`: what attention buys on one log, asked as the book asks it.

The same network with attention and with the learned decay, a counter beside them,
settings drawn from the registered space, chosen on validation, the test read once a
seed. Of impressions (MIND), a candidate that asks the history, one that is given a
learned decay of it, and one that is given its mean. What is made is kept in `.reproduce`: a run that was stopped goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.book import pieces, studies
from recsys.book.pays import logs, registered, slates
from recsys.book.pays.report import told
from recsys.book.reach import reach
from recsys.book.root import root
from recsys.cli.log import Log
from recsys.data import (
    DataError,
    ImpressionLog,
    catalogue,
    load_impressions,
    read_mind,
)
from recsys.data.parse import content_hash
from recsys.evaluation.verdicts import Verdict
from recsys.neural.recommender import log_digest
from recsys.training.checkpoint import digest

STUDY, OF_SLATES = "pays_movielens", "pays_bing"
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
        options: the log, as for `Log`; or under "data" impressions: a name of the
            catalogue, or a directory or zip archive of MIND.
        after_a_cut: ask for all that comes after one date, rather than for each user's
            last event; of impressions that is always so.
        settings: drawn for each arm.
        seeds: of the networks.
        seen: whether items of a user's history may be recommended again; not of
            impressions.

    Returns:
        The exit status: 0, or 1 after an error, which was said in one line.
    """
    try:
        _check(settings, seeds)
        drawn = {"settings": settings, "seeds": list(range(seeds))}
        log = Log(**options)
        impressions = _impressions(log.data)
        if impressions is None:
            _of_events(log, after_a_cut, drawn, seen)
        else:
            _of_slates(log.name, impressions, drawn, seen)
    except (DataError, ValueError, OSError) as error:
        print(f"recsys: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _impressions(data: str) -> ImpressionLog | None:
    """What was shown, where the data are impressions; None where they are events."""
    if data in catalogue():
        of_slates = catalogue()[data].loader == "load_impressions"
        return load_impressions(data) if of_slates else None
    at = Path(data)
    return read_mind(at) if at.is_dir() or at.suffix.lower() == ".zip" else None


def _of_events(
    source: Log, after_a_cut: bool, drawn: Mapping[str, Any], seen: bool
) -> None:
    at, log = root(), source.read().interactions.taken()
    name = f"{source.name}, {'after a cut' if after_a_cut else 'last out'}"
    own = {"arms": ARMS, "worlds": [[name]], "repeats": seen}
    config = registered(at / "studies", STUDY) | drawn | own
    made_from = {
        "log": log_digest(log),
        "config": config,
        "code": studies.fingerprint(at, STUDY, ["pieces"])["code"],
    }
    done = _made(at, made_from, logs.pieces(config, lambda data: log))
    found = told(config, done, name, name)
    row = found["attention minus"]["decay"]
    _say(f"{name}: {found['units']:,} users", config, logs.METRIC, found["arms"])
    _judge("Attention minus decay", row)
    print(logs.protocol(logs.world(config, name, lambda data: log)))


def _of_slates(
    source: str, log: ImpressionLog, drawn: Mapping[str, Any], seen: bool
) -> None:
    if seen:
        raise ValueError(
            "--seen: expected with a log of events, got impressions; what is asked is "
            "what they showed; leave it out"
        )
    at, name = root(), f"{Path(source).name}, after a cut"
    written = registered(at / "studies", OF_SLATES)
    own = {"arms": [*slates.READERS], "spaces": {"network": written["space"]}}
    config = written | drawn | own
    vectors = slates.title_vectors(log)
    made_from = {
        "log": f"{content_hash(log)[:16]} {digest(vectors)}",
        "config": config,
        "code": reach(at, slates.__name__, "of_arm").digest(),
    }
    world = slates.Newsroom(log, vectors, config)
    of_arm = partial(slates.of_arm, config, world, name)
    made = {f"{name}: {arm}": partial(of_arm, arm) for arm in slates.READERS}
    done = _made(at, made_from, made)
    found = slates.told(config, done, name)
    _say(f"{name}: {found['units']:,} readers", config, slates.METRIC, found["arms"])
    for other, row in found["softmax minus"].items():
        _judge(f"Softmax minus {other}", row)
    print(slates.protocol(world))


def _made(at: Path, made_from: Mapping[str, Any], of: pieces.Pieces) -> dict[str, dict]:
    """The pieces of one log, those that are kept read and the others made."""
    kept = at / ".reproduce" / "pieces" / f"pays-{made_from['log'][:16]}"
    done, _ = pieces.make(kept, dict(made_from), of, print)
    return done


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


def _say(
    asked: str, config: Mapping[str, Any], metric: str, arms: Mapping[str, Mapping]
) -> None:
    levels = {
        arm: {
            "validation": row["validation"],
            metric: row["level"][0],
            "at an end of its space": ", ".join(row["at an end"]),
        }
        for arm, row in arms.items()
    }
    print(f"{asked}, {config['settings']} settings, {len(config['seeds'])} seeds")
    print(pd.DataFrame(levels).T.to_string())


def _judge(contrast: str, row: Mapping[str, Any]) -> None:
    verdict = Verdict(**{key: row[key] for key in Verdict.__dataclass_fields__})
    print(
        f"{contrast}: "
        "{difference:.4f} [{low:.4f}, {high:.4f}], p {p_value:.3f}; "
        "{smallest:.4f} could have been seen".format(**row)
    )
    print(f"Verdict: {verdict.says(row['p_value'])}")
