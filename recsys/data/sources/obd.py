"""The sample of the Open Bandit Dataset that comes with the package obp.

Two policies filled three slots of a fashion shop's page for a week in November 2019:
one drew items at random, one by Bernoulli Thompson sampling (Saito et al. 2021). For
each policy and campaign there is a file of 10,000 slots.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.data.logged import LoggedChoices
from recsys.data.sources.tables import read_table, require

POLICIES = ("random", "bts")
CAMPAIGNS = ("all", "men", "women")
N_FEATURES = 4
"""Hashed features of the user, and an affinity with each item: not read further."""
SLOTS = 3


def read_sample(files: Mapping[str, bytes]) -> LoggedChoices:
    """Read `<policy>/<campaign>/<campaign>.csv` for both policies and three campaigns.

    Raises:
        DataError: a row is not as it should be; the message names the first such row.
    """
    parts = [
        _read(files[f"{policy}/{campaign}/{campaign}.csv"], policy, campaign)
        for policy in POLICIES
        for campaign in CAMPAIGNS
    ]
    return LoggedChoices(pd.concat(parts, ignore_index=True))


def _read(content: bytes, policy: str, campaign: str) -> pd.DataFrame:
    file = f"{policy}/{campaign}/{campaign}.csv"
    header = content[: content.find(b"\n")].decode("utf-8", errors="replace")
    n_items = header.count("user-item_affinity_")
    columns = {"Unnamed: 0": "int64", "timestamp": "str", "item_id": "int64"}
    columns |= {"position": "int64", "click": "int64", "propensity_score": "float64"}
    columns |= {f"user_feature_{k}": "str" for k in range(N_FEATURES)}
    columns |= {f"user-item_affinity_{k}": "float64" for k in range(n_items)}
    rows = read_table(content, columns, file=file, separator=",", header=True)
    stamps = rows["timestamp"]
    times = pd.to_datetime(stamps, errors="coerce", utc=True, format="ISO8601")

    def check(column: str, good: pd.Series, expected: str) -> None:
        require(rows, column, good, expected, file=file, header=True)

    check("timestamp", times.notna(), "a date and time")
    check("item_id", rows["item_id"].between(0, n_items - 1), "an item of its campaign")
    check("position", rows["position"].between(1, SLOTS), f"a slot from 1 to {SLOTS}")
    check("click", rows["click"].isin([0, 1]), "0 or 1")
    chance = rows["propensity_score"]
    check("propensity_score", (chance > 0) & (chance <= 1), "a chance above 0")
    seconds = times.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    return pd.DataFrame(
        {
            "policy": policy,
            "campaign": campaign,
            "time": seconds.astype(np.int64),
            "item": rows["item_id"],
            "position": rows["position"] - 1,
            "click": rows["click"] == 1,
            "propensity": chance,
        }
    )
