"""The filter of the published next-basket numbers, against a literal loop and on the real log."""

import numpy as np
import pytest

from recsys.baselines import Popularity
from recsys.data import DataError, Interactions
from recsys.data.taiw import taiw_filter
from recsys.evaluation import evaluate, hits_of, last_basket, ndcg


def literal(log):
    """The rule of the docstring in dictionaries and loops, to sets of (user id, item id, day)."""
    rows = [(log.user_ids[u], log.item_ids[i], t) for u, i, t in zip(log.users, log.items, log.times, strict=True)]
    days, sales = {}, {}
    for user, item, day in rows:
        days.setdefault(user, set()).add(day)
        sales[item] = sales.get(item, 0) + 1
    rows = [row for row in rows if len(days[row[0]]) >= 5 and sales[row[1]] >= 10]
    rates, single = {}, set()
    for user in {row[0] for row in rows}:
        mine = [row[2] for row in rows if row[0] == user]
        rates[user] = len(mine) / (max(mine) - min(mine) + 1)
        if len(set(mine)) == 1:
            single.add(user)
    values = np.array(list(rates.values()))
    limit = values.mean() + 2 * values.std()
    return [row for row in rows if rates[row[0]] < limit and row[0] not in single]


def random_log(seed, start=-3):
    """Sixty users of whom some buy much more than others; some items are rare, and days begin before 1970."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(6 + rng.geometric(0.1, 60), 70)
    users = np.repeat(np.arange(60), sizes)
    items = np.minimum(rng.geometric(0.08, len(users)), 40)
    days = start + rng.integers(0, 14, len(users))
    return Interactions.from_ids(users * 7, items * 3, np.ones(len(users)), days, time_unit="day")


@pytest.mark.parametrize("seed", range(8))
def test_the_filter_agrees_with_a_literal_loop(seed):
    log = random_log(seed)
    kept = taiw_filter(log)
    found = list(zip(kept.user_ids[kept.users], kept.item_ids[kept.items], kept.times, strict=True))
    assert found == literal(log) and 0 < len(found) < len(log)
    assert kept.n_users == len({row[0] for row in found}) and kept.n_items == len({row[1] for row in found})


def test_the_filter_changes_nothing_it_was_given():
    log = random_log(0)
    before = log.users.copy(), log.items.copy(), log.times.copy()
    assert len(taiw_filter(log)) < len(log)
    assert all((a == b).all() for a, b in zip(before, (log.users, log.items, log.times), strict=True))


def test_a_user_left_with_one_day_goes():
    """User 7 has five days, but four of them with rare items only; user 6 buys so much that the limit is above both."""
    rows = [(user, 0, day) for user in range(6) for day in (0, 2, 4, 6, 8)]
    rows += [(6, 0, day) for day in range(5) for _ in range(3)] + [(7, day, day) for day in range(5)]
    users, items, days = np.array(rows).T
    kept = taiw_filter(Interactions.from_ids(users, items, np.ones(len(rows)), days, time_unit="day"))
    assert kept.user_ids.tolist() == [0, 1, 2, 3, 4, 5] and kept.item_ids.tolist() == [0]


def test_a_rate_at_the_limit_is_too_much():
    """All buy one product a day: the deviation is 0, everybody is at the mean, and nobody is left."""
    users, days = np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4)
    with pytest.raises(DataError, match="No row is left"):
        taiw_filter(Interactions.from_ids(users, np.zeros(20, dtype=int), np.ones(20), days, time_unit="day"))


def test_a_log_without_days_and_one_with_nothing_left_are_named():
    with pytest.raises(DataError, match='interactions: expected times in days, got "second"; divide'):
        taiw_filter(Interactions.from_ids([1], [1], [1.0], [1]))
    with pytest.raises(DataError, match="No row is left: users need 5 days and items 10 rows"):
        taiw_filter(Interactions.from_ids([1, 1], [1, 2], [1.0, 1.0], [1, 2], time_unit="day"))


def test_known_numbers_on_ta_feng(tafeng):
    """The published counts, and popularity to four digits in both variants of nDCG."""
    log = taiw_filter(tafeng.interactions)
    assert (log.n_users, log.n_items, len(log)) == (7_358, 11_202, 368_951)
    split = last_basket(log)
    result = evaluate(Popularity(), split, repeats=True)
    relevant = split.test.of_users(result.users).seen()
    n_relevant = np.diff(relevant.indptr)
    uncapped = ndcg(hits_of(result.ranked, relevant), n_relevant, "all-relevant").mean()
    assert len(result.users) == 7_357 and n_relevant.sum() == len(split.test)
    found = result.mean("recall@10"), uncapped, result.mean("nDCG@10")
    assert [round(float(value), 4) for value in found] == [0.0863, 0.0939, 0.0964]
