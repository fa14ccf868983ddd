"""Hand-made features: each named once, and counted from what was known as a loop would count it."""

import numpy as np
import pytest

from recsys.baselines.basket_ranker import FEATURES, BasketRanker
from recsys.baselines.proposals import Proposals
from recsys.batches.candidates import draw
from recsys.batches.purchase_features import NAMES, POPULARITIES, purchase_features, table
from recsys.batches.questions import asked, coming, every_basket
from recsys.batches.sales import HALF_LIVES, LateSales, repurchases
from recsys.data import Interactions
from recsys.evaluation import last_basket

GROUPS, PRICES = np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1.0, 2, 4, 8, 16, 32, 64])


def log_of(seed, n_users=5, n_rows=16, n_days=8, n_items=6):
    """A log of 7 products, of which one is never sold, with rows in no order."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), n_rows)
    items, days = rng.integers(0, n_items, len(users)), 501 + rng.integers(0, n_days, len(users))
    return Interactions(users, items, np.ones(len(users)), days, np.arange(n_users), np.arange(7), "day")


@pytest.fixture(scope="module")
def shop():
    return log_of(2)


def of_history(mine, item, day, usual_gap):
    """What a history says, in loops; `mine` is (day, item) of each event."""
    visits = sorted({t for t, _ in mine})
    times = sorted(t for t, i in mine if i == item)
    alike = sorted(t for t, i in mine if GROUPS[i] == GROUPS[item])
    age = {t: len(visits) - 1 - place for place, t in enumerate(visits)}
    gap = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else usual_gap
    usual_price = np.mean([np.log1p(PRICES[i]) for _, i in mine]) if mine else np.nan
    return {
        "times bought": len(times), "days since bought": day - times[-1] if times else np.nan,
        "times in group": len(alike), "days since in group": day - alike[-1] if alike else np.nan,
        "share": len(times) / len(mine) if mine else np.nan,
        "share of group": len(alike) / len(mine) if mine else np.nan,
        "events": len(mine), "days since visit": day - visits[-1] if visits else np.nan,
        "price": np.log1p(PRICES[item]), "price against the usual": np.log1p(PRICES[item]) - usual_price,
        "share of visits": len(times) / max(len(visits), 1),
        "decayed times": sum(0.97 ** (day - t) for t in times), "decayed visits": sum(0.8 ** age[t] for t in times),
        "visits since bought": min(age[t] for t in times) if times else np.nan,
        "days over usual gap": (day - times[-1]) / max(gap, 1) if times else np.nan,
        "visits": len(visits), "basket size": len(mine) / len(visits) if visits else np.nan,
        "days between visits": (visits[-1] - visits[0]) / (len(visits) - 1) if len(visits) > 1 else np.nan,
        "share of new products": len({i for _, i in mine}) / len(mine) if mine else np.nan,
    }  # fmt: skip


def of_sales(fitted, item, day):
    """What sales before a day say, in loops."""
    sold = fitted.select(fitted.times < day)
    visits = [np.unique(sold.times[(sold.users == u) & (sold.items == item)]).size for u in range(fitted.n_users)]
    late = {"popularity at the end": 0.0}
    for life, name in zip(HALF_LIVES, POPULARITIES, strict=True):
        seen = min(day, fitted.times.max() + 1)
        weights = 0.5 ** ((seen - 1 - sold.times) / life)
        late[name] = np.log(weights[sold.items == item].sum() / max(weights.sum(), 1) + 1e-6)
    return {
        "share of sales": (sold.items == item).mean() if len(sold) else np.nan,
        "share of sales of group": (GROUPS[sold.items] == GROUPS[item]).mean() if len(sold) else np.nan,
        "repurchase rate": np.mean([n > 1 for n in visits if n]) if any(visits) else np.nan,
        "trend": late[POPULARITIES[0]] - late[POPULARITIES[2]], **late,
    }  # fmt: skip


def of_log(log, item):
    """How a product is bought again in the whole of a log, in loops."""
    bought = [log.times[(log.users == user) & (log.items == item)] for user in range(log.n_users)]
    bought = [times for times in bought if len(times)]
    days, gaps = sum(max(times) - min(times) for times in bought), sum(len(times) - 1 for times in bought)
    return {
        "share that buys again": (sum(len(times) > 1 for times in bought) + 1) / (len(bought) + 20),
        "rows per buyer": (sum(map(len, bought)) + 1) / (len(bought) + 1), "usual gap": (days + 30) / (gaps + 1),
    }  # fmt: skip


def check_rows(candidates, known_of, fitted, names, found):
    """Each row against loops; `known_of` is the log of what could be known on a day."""
    assert found.shape == (len(candidates), len(names)) and found.dtype == np.float32
    for row in range(len(candidates)):
        q, item = candidates.question[row], candidates.items[row]
        day, user = candidates.questions.days[q], candidates.questions.users[q]
        known, whole = known_of(day), of_log(fitted, item)
        mine = [(int(t), int(i)) for u, i, t in zip(known.users, known.items, known.times) if u == user]
        expected = {**of_history(mine, item, day, whole["usual gap"]), **of_sales(fitted, item, day), **whole}
        for name, value in zip(names, found[row], strict=True):
            if name != "similarity to history":
                assert np.isclose(value, expected[name], rtol=1e-4, atol=1e-5, equal_nan=True), (name, row, value)


def test_features_of_drawn_candidates_are_what_a_loop_counts(shop):
    split = last_basket(shop)
    candidates = draw(asked(split.train_and_validation, split.test), np.ones(7), 6)
    found = purchase_features(candidates, split.train, GROUPS, PRICES)
    check_rows(candidates, lambda day: split.train_and_validation, split.train, NAMES, found)


def test_the_basket_asked_for_and_what_came_later_are_never_counted(shop):
    learnt = draw(every_basket(shop), np.ones(7), 6)
    found = purchase_features(learnt, shop, GROUPS, PRICES)
    check_rows(learnt, lambda day: shop.select(shop.times < day), shop, NAMES, found)


@pytest.mark.parametrize("seed", range(2))
def test_features_of_proposed_candidates_are_what_a_loop_counts(seed):
    log = log_of(seed, n_days=30)
    proposals = Proposals(log, 4)
    proposed = proposals.propose(coming(log, log.times.max(), days=np.array([531, 533, 540, 531, 560])))
    check_rows(proposed.candidates, lambda day: log, log, FEATURES, BasketRanker().features(proposals, proposed))


def test_where_days_are_supposed_the_sales_of_the_whole_log_are_told(shop):
    proposals = Proposals(shop, 4)
    proposed = proposals.propose(coming(shop, shop.times.max(), usual_gap=3))
    found = BasketRanker(usual_gap=3).features(proposals, proposed)[:, FEATURES.index("popularity at the end")]
    shares = proposals.sales.before(np.array([10**6]), -1)[0]
    assert np.allclose(found, np.log(shares + 1e-6)[proposed.candidates.items])


def test_sales_of_the_day_and_later_never_change_what_is_told_of_the_day(shop):
    later = shop.times >= 505
    other = Interactions(shop.users, np.where(later, (shop.items + 3) % 7, shop.items), shop.values, shop.times,
                         shop.user_ids, shop.item_ids, "day")
    for half_life in range(3):
        on, after = (LateSales(log).before(np.array([505, 506]), half_life) for log in (shop, other))
        assert (on[0] == after[0]).all() and not (on[1] == after[1]).all()


@pytest.mark.parametrize("names, made", [(NAMES, 13), (FEATURES, 21)])
def test_columns_are_picked_by_name(names, made):
    columns = {name: np.full(3, place) for place, name in enumerate(reversed(names))}
    assert len(names) == len(set(names)) == made
    assert table(columns, names)[1].tolist() == list(range(made))[::-1]


@pytest.mark.parametrize("groups, prices, match", [
    (GROUPS - 1, PRICES, "groups: expected 7 numbers of at least 0"), (GROUPS[:5], PRICES, "groups: expected 7"),
    (GROUPS, np.where(PRICES == 8, np.nan, PRICES), "prices: expected 7 finite"), (GROUPS, -PRICES, "prices: expected 7 finite"),
])
def test_groups_and_prices_out_of_range_are_named(shop, groups, prices, match):
    split = last_basket(shop)
    candidates = draw(asked(split.train_and_validation, split.test), np.ones(7), 6)
    with pytest.raises(ValueError, match=match):
        purchase_features(candidates, split.train, groups, prices)


def test_an_empty_history_has_features_that_trees_can_read(shop):
    nobody = shop.select(np.zeros(len(shop), dtype=bool))
    day = shop.times.max()
    candidates = draw(asked(nobody, shop.select(shop.times == day)), np.ones(7), 3)
    found = purchase_features(candidates, shop, GROUPS, PRICES)
    check_rows(candidates, lambda day: nobody, shop, NAMES, found)
    by_name = dict(zip(NAMES, found.T))
    assert (by_name["times bought"] == 0).all() and (by_name["events"] == 0).all()
    assert all(np.isnan(by_name[name]).all() for name in ("share", "days since visit", "price against the usual"))
    proposals = Proposals(shop, 4)
    proposed = proposals.propose(coming(nobody, day))
    check_rows(proposed.candidates, lambda day: nobody, shop, FEATURES, BasketRanker().features(proposals, proposed))


def test_a_product_nobody_bought_is_bought_again_as_products_usually_are(shop):
    never = repurchases(shop)
    assert {name: values[6] for name, values in never.items()} == {
        "share that buys again": 1 / 20, "rows per buyer": 1.0, "usual gap": 30.0}  # fmt: skip
