"""The shop's study: a scorer of known kind gets the numbers known in closed form, in every list of candidates."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recsys.book.pays import registered, shop, shop_report
from recsys.book.pays.counts import Count, of_items
from recsys.data import Interactions
from recsys.evaluation import draws
from recsys.neural.target_ranker import POOLINGS
from tests.conftest import ROOT

CONFIG = registered(ROOT / "studies", "pays_shop")
SMALL = {**CONFIG, "settings": 2, "seeds": [0, 1], "arms": ["mean", "decay", "softmax"], "told": ["mean", "decay", "softmax"],
         "counts": ["popularity", "minus popularity", "times bought", "times, then popularity", "EASE", "trees"],
         "contrasts": [["softmax", "mean"], ["softmax, told", "times bought"]],
         "contrasts, told": [["softmax, told", "mean, told"]], "rows a product": 2, "EASE rows": 3,
         "full ranking": ["mean", "decay", "softmax", "mean, told", "decay, told", "softmax, told", "popularity", "times bought"],
         "shortlist": 10, "customers of search": 40, "customers of validation": 20, "events": [1, 6, 9],
         "spaces": {**CONFIG["spaces"], "network": {"dim": [4], "max_length": [12], "epochs": [1], "batch_size": [16],
                                                     "learning_rate": {"from": 0.01, "to": 0.05}},
                    "trees": {"max_leaf_nodes": [3], "max_iter": [3], "learning_rate": {"from": 0.1, "to": 0.2}}}}  # fmt: skip
SCORES = {"minus popularity": -1, "popularity": 1}


def log_of(visits, n_items=None):
    """A log of (user, day, items)."""
    users, days, items = zip(*[(user, day, item) for user, day, bought in visits for item in sorted(bought)], strict=True)
    return Interactions(np.array(users), np.array(items), np.ones(len(users)), np.array(days), np.arange(max(users) + 1),
                        np.arange(n_items or max(items) + 1), "day")  # fmt: skip


def sold(log, monkeypatch):
    """A shop of this log, whose products have a subclass and a price."""
    items = pd.DataFrame({"subclass": 100 + np.arange(log.n_items) // 4, "price": 1.0 + np.arange(log.n_items)})
    monkeypatch.setattr(shop, "load", lambda name: SimpleNamespace(interactions=log, items=items))


def planted(n_users=60, n_items=40):
    """Everybody keeps to four products of their own, and takes one more by its rank in the shop."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, n_items + 1)
    share /= share.sum()
    visits = []
    for user in range(n_users):
        own = rng.choice(n_items, 4, replace=False)
        for visit in range(2 + user % 5):
            visits.append((user, 7 * visit + user % 3, {*own[rng.random(4) < 0.6], rng.choice(n_items, p=share)}))
    return log_of(visits, n_items)


@pytest.fixture
def world(monkeypatch):
    sold(planted(), monkeypatch)
    return shop.Shop(SMALL)


class Known:
    """A scorer that is told, of each candidate, its label, whether it was bought before, and its rows."""

    def __init__(self, score):
        self.score = score

    def predict(self, candidates):
        popularity = np.bincount(candidates.questions.event_items, minlength=candidates.questions.n_items)
        return self.score(candidates.labels == 1, candidates.bought_before, popularity[candidates.items])

    log_odds = predict


def means(found):
    return {name: np.nanmean(values) for name, values in found.items() if np.isfinite(values).any()}


def test_a_scorer_of_each_kind_has_the_auc_of_each_kind_of_pair(world):
    """Looking the candidate up orders pairs that differ in it, and says nothing of those that don't."""
    part = world.part("test")
    looked_up = means(part.read(Known(lambda bought, again, rows: again.astype(float))))
    assert {name: looked_up[name] for name in shop.PAIRS} == {
        "bought again over drawn new": 1, "bought new over drawn new": 0.5,
        "bought again over drawn again": 0.5, "bought new over drawn again": 0}  # fmt: skip
    assert looked_up[shop.INSIDE] == 0.5
    knows = means(part.read(Known(lambda bought, again, rows: bought.astype(float))))
    assert all(knows[name] == 1 for name in (*shop.PAIRS, "all", shop.INSIDE))
    blind = means(part.read(Known(lambda bought, again, rows: np.zeros(len(bought)))))
    assert all(blind[name] == 0.5 for name in (*shop.PAIRS, "all", shop.INSIDE))


def test_all_pairs_are_the_four_kinds_weighed_by_how_many_there_are(world):
    """Within a customer, the AUC of all candidates is the mean of the kinds by their numbers of pairs."""
    part, rng = world.part("test"), np.random.default_rng(3)
    found = part.read(Known(lambda bought, again, rows: rng.random(len(bought)) + again + 0.3 * bought))
    question, labels, again = part.drawn.candidates.question, part.drawn.labels, part.drawn.again
    for customer in range(len(part.questions)):
        here = question == customer
        of = {name: (here & labels & (again == bought)).sum() * (here & ~labels & (again == other)).sum()
              for name, (bought, other) in shop.PAIRS.items()}  # fmt: skip
        if sum(of.values()):
            told = sum(n * found[name][customer] for name, n in of.items() if n) / sum(of.values())
            assert told == pytest.approx(found["all"][customer])


def test_draws_by_popularity_turn_minus_popularity_into_an_order_of_what_was_bought_again(monkeypatch):
    """Customers take a product of their own history at random: inside the history popularity is worth nothing,
    and beside drawn products minus popularity gains what the draws put there."""
    rng, n_items = np.random.default_rng(0), 30
    share = np.where(np.arange(n_items) < 3, 20.0, 1.0)
    share /= share.sum()
    visits = []
    for user in range(900):
        own = [*rng.choice(3, 2, replace=False), *rng.choice(np.arange(3, 30), 4, replace=False)]
        visits += [(user, day, own) for day in (1, 8, 15)]
        visits.append((user, 22, [own[rng.integers(6)]]))
    sold(log_of(visits, n_items), monkeypatch)
    part = shop.Shop({**SMALL, "rows a product": 0}).part("test")
    read = {name: means(part.read(Known(lambda bought, again, rows, sign=sign: sign * rows.astype(float)))) for name, sign in SCORES.items()}
    assert read["minus popularity"][shop.INSIDE] == pytest.approx(0.5, abs=0.02)
    counts = part.fitted.item_counts()
    drawn_often = counts[:3].mean() * 3 / counts.sum()  # a draw is one of the three
    drawn_again = counts[3:].mean() * 4 / counts.sum()  # or one of the customer's four others
    of_three, of_others = 2 / 6, 4 / 6  # what was bought is one of these
    often, rest = drawn_often * 2 / 3, drawn_again
    exact = of_three * 0.5 * often + of_others * (often + 0.5 * rest)
    told = read["minus popularity"]["bought again over drawn again"]
    assert told == pytest.approx(exact / (often + rest), abs=0.04) and told > 0.6
    assert read["popularity"]["bought again over drawn again"] == pytest.approx(1 - told)


def test_lists_hold_every_product_of_the_history_once_and_the_best_sellers(world):
    part = world.part("test")
    counts = part.fitted.item_counts()
    best = set(np.argsort(-counts, kind="stable")[:10])
    for asked, others in ((part.inside, set()), (part.shortlist, best)):
        of = asked.candidates
        for customer, user in enumerate(of.questions.users):
            own = set(part.fitted.items[part.fitted.users == user])
            listed = of.items[of.question == customer].tolist()
            assert listed == sorted(own | others)


def test_the_day_is_a_usual_gap_after_the_newest_basket_and_not_the_day_of_the_basket(monkeypatch):
    visits = [(u, d, {u, 5}) for u, days in enumerate(((1, 4, 7, 90), (2, 5, 8, 9), (3, 6, 9, 12))) for d in days]
    sold(log_of(visits), monkeypatch)
    world = shop.Shop({**SMALL, "rows a product": 1})
    assert world.questions("test").days.tolist() == [10, 11, 12]
    assert world.questions("validation").days.tolist() == [7, 8, 9]


def test_products_of_few_rows_are_left_out_and_their_groups_and_prices_with_them(monkeypatch):
    log = planted()
    sold(log, monkeypatch)
    world = shop.Shop({**SMALL, "rows a product": 12})
    kept = np.flatnonzero(log.item_counts() >= 12)
    assert 0 < len(kept) < log.n_items and world.prices.tolist() == (1.0 + kept).tolist()
    assert world.split.train.item_ids.tolist() == kept.tolist() and len(world.groups) == len(kept)
    few = of_items(log, kept)
    assert (few.item_ids[few.items] == log.item_ids[log.items[np.isin(log.items, kept)]]).all()


def test_a_perfect_shortlist_misses_what_no_list_holds(world):
    part = world.part("test")
    found = part.read(Known(lambda bought, again, rows: bought.astype(float)))
    on_it = np.bincount(part.shortlist.candidates.question, weights=part.shortlist.labels)
    size = np.diff(part.questions.basket_starts)
    assert np.allclose(found[shop.RECALLS[shop.SHORTLIST]], np.minimum(on_it, 10) / size)


def test_counts_score_candidates_as_they_rank_all_products(world):
    part = world.part("test")
    for arm in ("popularity", "minus popularity", "times bought", "times, then popularity", "EASE"):
        settings = draws(shop.space_of(SMALL, arm), 1)[0] if shop.space_of(SMALL, arm) else {}
        model = shop.build(world, arm, settings, 0)
        assert isinstance(model, Count)
        model.fit(part.fitted)
        every = model.score(part.questions.users, history=part.fitted)
        rows = part.shortlist.candidates
        assert np.allclose(model.log_odds(rows), every[rows.question, rows.items])
    rows_of = part.fitted.item_counts()
    least = shop.build(world, "minus popularity", {}, 0).fit(part.fitted).score(part.questions.users, history=part.fitted)
    assert (least.argmin(1) == rows_of.argmax()).all() and np.ptp(least, axis=0).max() == 0
    times = shop.build(world, "times bought", {}, 0).fit(part.fitted)
    assert times.log_odds(part.inside.candidates).min() >= 1


def test_every_pooling_tries_the_same_settings_on_the_same_customers_and_reads_no_test(world, monkeypatch):
    fitted = []
    fit = shop.timed_fit
    monkeypatch.setattr(shop, "timed_fit", lambda model, log: fitted.append(np.unique(log.users).tolist()) or fit(model, log))
    world.parts["test"] = None  # a look at it is an AttributeError
    tried = {arm: shop.searched(lambda: world, arm) for arm in ("mean", "softmax, told", "EASE", "popularity")}
    assert [row["settings"] for row in tried["mean"]["search"]] == [row["settings"] for row in tried["softmax, told"]["search"]]
    assert tried["popularity"] == {"search": [], "settings": {}} and len(tried["EASE"]["search"]) == 2
    for found in (tried["mean"], tried["EASE"]):
        assert found["settings"] == max(found["search"], key=lambda row: row["validation"])["settings"]
    assert fitted[0] == world.some(40).tolist() and all(users == fitted[0] for users in fitted)
    assert set(world.some(20)) < set(fitted[0])


@pytest.fixture(scope="module")
def done():
    patch = pytest.MonkeyPatch()
    sold(planted(), patch)
    made = {}
    for name, piece in shop.pieces(SMALL).items():
        needs, function = piece if isinstance(piece, tuple) else ([], piece)
        made[name] = json.loads(json.dumps(function(*(made[need] for need in needs))))
    yield made
    patch.undo()


def test_results_tell_levels_differences_and_verdicts(done, world):
    told = json.loads(json.dumps(shop_report.results(SMALL, done)))
    assert list(told["arms"]) == shop.arms_of(SMALL)
    tables = {arm: {name: np.array(rows) for name, rows in done[arm]["tests"].items()} for arm in told["arms"]}
    n_customers = told["counts"]["customers"]
    for arm, found in told["arms"].items():
        n_seeds = 1 if arm in SMALL["counts"] else 2
        assert tables[arm][shop.SHORTLIST].shape == (n_seeds, n_customers) and len(found["seeds"]) == n_seeds
        assert (shop.FULL in found["levels"]) == (arm in SMALL["full ranking"])
        assert found["levels"]["all"][0] == pytest.approx(np.nanmean(tables[arm]["all"]), abs=1e-4)
    for ours, theirs in shop_report.HEADLINE:
        difference = tables[ours][shop.FULL] - tables[theirs][shop.FULL]
        found = told["headline"][f"{ours} minus {theirs}"]
        assert found["difference"] == pytest.approx(difference.mean(), abs=1e-6)
        assert found["adjusted p"] >= found["p_value"] - 1e-6 and found["says"] in ("pays", "costs", "equal", "not decided")
        by_length = [told["headline by events"][f"{ours} minus {theirs}, {low} or more"] for low in (1, 6, 9)]
        assert sum(row[-1] for row in by_length) == n_customers
        assert sum(row[0] * row[-1] for row in by_length) / n_customers == pytest.approx(difference.mean(), abs=2e-4)
    for name, pairs in told["contrasts"].items():
        difference = (tables["softmax"][name] - tables["mean"][name])
        known = np.isfinite(difference[0])
        found = pairs["softmax minus mean"]
        assert found[0] == pytest.approx(difference[:, known].mean(), abs=1e-4)
        assert found[1] <= found[0] <= found[2] and found[4] > 0
    assert "bought products allowed" in told["protocol"]


def test_a_count_that_is_no_network_has_one_row_and_is_compared_with_every_seed(done):
    tables = {"a": {"all": np.array([[0.6, 0.7, np.nan, 0.4], [0.8, 0.9, np.nan, 0.6]])}, "b": {"all": np.array([[0.5, 0.5, np.nan, 0.5]])}}
    found = shop_report.contrasts([["a", "b"]], 0.03, tables, "all")["a minus b"]
    assert found[0] == pytest.approx(1 / 6, abs=1e-4)
    three = np.array([[0.1, 0.2, -0.1], [0.3, 0.4, 0.1]])
    seeds = stats.t.interval(0.95, 1, three.mean(), three.mean(1).std(ddof=1) / 2**0.5)
    assert found[2] - found[1] <= seeds[1] - seeds[0] + 0.5  # never wider than both parts together


def test_every_registered_setting_and_name_fits():
    assert json.loads(json.dumps(CONFIG)) == CONFIG
    arms = shop.arms_of(CONFIG)
    assert set(CONFIG["full ranking"]) <= set(arms) and {arm for pair in CONFIG["contrasts"] for arm in pair} <= set(arms)
    assert {arm for pair in CONFIG["contrasts, told"] for arm in pair} == {f"{arm}, told" for arm in CONFIG["told"]}
    assert {arm for pair in shop_report.HEADLINE for arm in pair} <= set(CONFIG["full ranking"])
    for arm in (*CONFIG["arms"], *CONFIG["told"]):
        assert shop.POOLINGS.get(arm, arm) in POOLINGS
    groups = SimpleNamespace(config=CONFIG, groups=np.zeros(3, dtype=int), prices=np.ones(3))
    for arm in arms:
        for settings in draws(shop.space_of(CONFIG, arm), 30, seed=1) if shop.space_of(CONFIG, arm) else [{}]:
            model = shop.build(groups, arm, settings, seed=3)
            if arm not in CONFIG["counts"]:
                assert settings.items() <= {**vars(model.config), **vars(model.config.training)}.items()
                assert model.config.repeats == arm.endswith(", told") and model.config.training.seed == 3
