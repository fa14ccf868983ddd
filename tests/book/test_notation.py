"""The notation page against arrays: each row's code is evaluated, and must have the row's shape."""

import re

import numpy as np
import pytest

from recsys import attention as att
from recsys import baselines, economy
from recsys.baselines.content import softmax_mean
from recsys.data import Interactions
from recsys.evaluation import average_precision, hits_of, leave_last_out, ndcg, reciprocal_rank, top_k
from recsys.runtime import import_torch
from tests.conftest import ROOT

SECTIONS = {title: body for title, body in re.findall(
    r"^## (.+?)\n(.*?)(?=^## |\Z)", (ROOT / "book" / "notation.md").read_text("utf-8"), re.M | re.S)}
RNG = np.random.default_rng(0)


def rows(title):
    found = re.findall(r"^\| (\$.+?\$(?:, \$.+?\$)*) \| .+? \| `([^`]+)` \| (.+?) \|$", SECTIONS[title], re.M)
    assert len(found) == SECTIONS[title].count("\n| $"), f"a row of {title} cannot be read"
    return found


def check(title, names, sizes):
    for symbol, expression, shape in rows(title):
        value = eval(expression, {}, names)  # the page's own code column
        if shape == "number":
            assert np.ndim(value) == 0, symbol
        else:
            expected = tuple(sizes.get(word) or int(word) for word in re.findall(r"\w+", shape))
            assert np.shape(value) == expected, f"{symbol}: {expression} has {np.shape(value)}, the page says {shape}"


def attention_weights():
    sizes = dict(queries=2, keys=3, d=4, value_dim=5, inner=6, hidden=7)
    draw = lambda *words: RNG.normal(size=[sizes[word] for word in words])  # noqa: E731
    names = dict(query=draw("queries", "d"), key=draw("keys", "d"), value=draw("keys", "value_dim"), d=4, n_heads=3,
                 matrix=draw("d", "d"), query_matrix=draw("d", "hidden"), key_matrix=draw("d", "hidden"), direction=draw("hidden"))
    names["scores"] = att.scaled_dot_scores(names["query"], names["key"])
    names["mask"] = np.ones((2, 3), dtype=bool)
    names["output"], names["weights"] = att.attention(names["query"], names["key"], names["value"], names["mask"])
    names["jacobian"] = np.stack([att.softmax_vjp(names["weights"][0], row) for row in np.eye(3)])
    names["projections"] = att.Projections(draw("d", "inner"), draw("d", "inner"), draw("d", "inner"), draw("inner", "d"))
    out, _ = att.multi_head_attention(names["query"], names["key"], names["projections"], names["n_heads"])
    assert out.shape == (2, 4)
    assert att.bilinear_scores(names["query"], names["key"], names["matrix"]).shape == names["scores"].shape
    additive = att.additive_scores(names["query"], names["key"], names["query_matrix"], names["key_matrix"], names["direction"])
    assert additive.shape == names["scores"].shape
    features = RNG.normal(size=(4, 8))
    names["times"], names["phi"] = np.matmul, lambda x, times: np.exp(times(x, features))
    return names, sizes | {"r": 8}


def allocation():
    u = np.array([2.0, 1.0, 0.5, 0.1, 0.0])
    p = att.softmax(u, temperature=0.7)
    price = 0.7 * np.log(np.exp(u / 0.7).sum()) - 0.7
    floor = price - (u - 0.7 * (np.log(p) + 1))
    assert np.allclose(floor, 0)
    names = dict(u=u, p=p, T=0.7, entropy=att.entropy, effective_number=att.effective_number, price=price, floor=floor,
                 b=60.0, x=60.0 * p, w=u, g=np.ones(5), length=np.full(5, 90.0), ceiling=np.zeros(5),
                 Z=np.exp(u / 0.7).sum(), concentration=lambda q: np.log(len(q)) - att.entropy(q),
                 worth=lambda x: (u * np.log1p(x)).sum(axis=-1), habit=p, prior=np.array([0.5, 0.5]), chances=np.stack([p, p[::-1]]))
    assert np.isclose(names["habit"].sum(), 1) and np.allclose(names["chances"].sum(axis=1), 1)
    return names, dict(m=5, states=2)


def losses():
    sizes = dict(N=3, m=6, length=4, item_dim=5, d=2)
    draw = lambda *words: RNG.normal(size=[sizes.get(word, 1) for word in words])  # noqa: E731
    names = dict(predictions=draw("N", "m"), ratings=draw("N", "m"), observed=RNG.random((3, 6)) < 0.5,
                 items=draw("N", "length", "item_dim"), rate=0.05, step=1e-5, z=draw("N", "m"), chances=att.softmax(draw("m")))
    w_q, w_k, w_v = (RNG.normal(size=(5, 2)) for _ in range(3))
    names["q"], names["keys"] = draw("N", "one", "item_dim") @ w_q, names["items"] @ w_k
    names["o"], names["p"] = att.attention(names["q"], names["keys"], names["items"] @ w_v)
    names["g"] = 2 * names["o"]
    names["query_input"], names["values"] = draw("N", "one", "item_dim"), names["items"] @ w_v
    names["s"] = att.scaled_dot_scores(names["q"], names["keys"])
    names["catalogue"], names["count"], names["divisor"] = draw("m", "d"), 4, names["observed"].sum()
    assert (names["o"][:, 0] @ names["catalogue"].T).shape == (3, 6)
    names["features"], names["theta"], names["labels"] = draw("N", "item_dim"), draw("item_dim", "m"), names["ratings"][:, 0]
    names["steepest"] = np.linalg.eigvalsh(names["features"] @ names["features"].T / 3)[-1]
    names["sigmoid"], sizes["features"] = 1 / (1 + np.exp(-names["z"])), 5
    assert (names["features"] @ names["theta"]).shape == (3, 6)
    assert np.isfinite(att.squared_error(names["predictions"], names["ratings"], names["observed"]))
    return names, sizes


def mistakes():
    x, padding_mask = RNG.normal(size=(2, 4, 3)), np.array([[True] * 4, [True, True, False, False]])
    pooled = att.pool(att.mean_weights(padding_mask), x)
    torch, squares = import_torch(), RNG.random(10)

    def batch_means(size):
        parts = np.split(squares, range(size, 10, size))
        return [part.mean() for part in parts], [len(part) for part in parts]

    assert np.isclose(att.mean_over_batches(*batch_means(4)), squares.mean())
    names = dict(x=x, padding_mask=padding_mask, pooled=pooled, n_negatives=4, torch=torch,
                 scores=torch.zeros(2, 2), batch_means=batch_means, size=4)
    return names, dict(batch=2, length=4, dim=3, batches=3)


@pytest.mark.parametrize("title, example", [("Attention weights", attention_weights), ("Allocation", allocation),
                                            ("Losses and gradients", losses), ("Mistakes", mistakes)])
def test_symbols_of_part_one_have_the_shapes_the_page_says(title, example):
    check(title, *example())


def test_symbols_of_part_two_have_the_shapes_the_page_says(movielens):
    interactions = movielens.interactions
    split = leave_last_out(interactions)
    users = np.unique(split.test.users)
    EASE, ItemKNN = baselines.EASE().fit(interactions), baselines.ItemKNN().fit(interactions)
    ImplicitALS = baselines.ImplicitALS(factors=8, iterations=1).fit(interactions)
    relevant = split.test.of_users(users).seen()
    names = {"interactions": interactions, "EASE": EASE, "ItemKNN": ItemKNN, "ImplicitALS": ImplicitALS, "len": len,
             "n_users": interactions.n_users, "n_items": interactions.n_items, "k": 10, "factors": 8,
             "hits": hits_of(top_k(EASE.score(users), 10), relevant), "n_relevant": relevant.sum(axis=1).A1,
             "reciprocal_rank": reciprocal_rank, "average_precision": average_precision, "ndcg": ndcg, "recency": 1.0, "decay": 1.0, "shrinkage": 1.0, "l2": 1.0, "alpha": 1.0}
    sizes = {"N": 943, "m": 1682, "n": 100_000, "k": 10, "d": 8}
    check("Logs and rankings", names, sizes)
    check("Models of the ground chapters", names, sizes)


def test_symbols_of_part_three_have_the_shapes_the_page_says():
    torch = import_torch()
    from recsys.batches.negatives import NegativeSampler
    from recsys.torch.sasrec import SASRec, SASRecConfig

    sizes = dict(batch=2, length=5, m=9, d=8, blocks=2, heads=4)
    with torch.no_grad():
        network = SASRec(9, SASRecConfig(dim=8, n_blocks=2, n_heads=4)).eval()
        ids = torch.tensor([[3, 1, 9, 4, 1], [2, 2, 5, 0, 0]])
        names = {"network": network, "ids": ids, "sampler": NegativeSampler(np.arange(9), 4)}
        check("Models that read in order", names, sizes)


def ratings():
    torch = import_torch()
    from recsys.torch.factorisation import BiasedFactorisation
    from recsys.torch.history_attention import HistoryAttention, HistoryAttentionConfig
    from recsys.torch.ncf import GMF, GMFConfig

    names = dict(network=BiasedFactorisation(4, 9, 8, 3.5), gmf=GMF(4, 9, GMFConfig(dim=8)),
                 reader=HistoryAttention(9, HistoryAttentionConfig(dim=8)), users=torch.tensor([0, 1, 3]),
                 items=torch.tensor([8, 2, 2]), history=torch.tensor([[3, 1, 9, 4, 1], [2, 2, 5, 0, 0]]),
                 candidates=torch.tensor([[1, 2, 3], [4, 5, 9]]))
    return names, dict(N=4, m=9, d=8, pairs=3, batch=2, length=5, candidates=3)


def shop():
    torch = import_torch()
    from recsys.torch.target_ranker import TargetRanker, TargetRankerConfig

    log = Interactions.from_sequences([[0, 1, 1], [2, 3], [4, 5, 8], [6, 7]], np.arange(9))
    groups, config = np.arange(9) // 3, TargetRankerConfig(dim=8)
    names = dict(interactions=log, counts=np.bincount(log.items, minlength=9), popularity_weight=2.0, n_negatives=30,
                 trade=0.9, ranker=TargetRanker(groups, config).eval(),
                 din=TargetRanker(groups, TargetRankerConfig(dim=8, pooling="din")).eval(), events=torch.randn(2, 5, 8),
                 asked=torch.randn(2, 3, 8), history=torch.tensor([[3, 1, 9, 4, 1], [2, 2, 5, 0, 0]]),
                 gaps=torch.tensor([[9, 4, 4, 2, 1], [3, 2, 1, 0, 0]]), candidates=torch.tensor([[1, 2, 3], [4, 5, 9]]))
    return names, dict(N=4, m=9, d=8, batch=2, length=5, candidates=3)


def newsroom():
    unit = lambda *shape: (lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True))(RNG.normal(size=shape))  # noqa: E731
    clicked, candidates, sharpness = unit(5, 8), unit(3, 8), 4.0
    by_content, weights = softmax_mean(candidates @ clicked.T, sharpness, np.ones((3, 5), dtype=bool))
    profile = weights @ clicked
    assert np.allclose((profile * candidates).sum(axis=1), by_content)
    names = dict(clicked=clicked, candidates=candidates, sharpness=sharpness, weights=weights, profile=profile,
                 likeness=by_content, sources=RNG.normal(size=(3, 2)), mix=np.ones(2))
    return names, dict(n=5, d=8, candidates=3, sources=2)


def loop():
    j, articles = RNG.normal(size=8), RNG.normal(size=(5, 8))
    names = dict(j=j, v=articles[0], y=1, rate=1.0, s=articles @ j, half_life=7.0)
    return names, {"d": 8, "list": 5}


def policies():
    from recsys.economy.bandits import EXP3, Thompson
    from recsys.economy.linear_bandits import LinUCB
    from recsys.economy.shelf import fixed_shelf

    share = RNG.dirichlet(np.ones(3))
    policy, logged, rates = (att.softmax(RNG.normal(size=(3, 4))) for _ in range(3))
    x, a = RNG.integers(3, size=50), RNG.integers(4, size=50)
    weights = (policy / logged)[x, a]
    slots, items = np.arange(50) % 3, np.arange(50) % 5
    game = economy.trust_game(horizon=6)
    names = dict(policy=policy, logged=logged, rates=rates, weights=weights, rewards=RNG.random(50), game=game, solve=economy.solve,
                 value=(share[:, None] * policy * rates).sum(), effective_size=economy.effective_size,
                 shelf=fixed_shelf([0.1, 0.2, 0.3, 0.4], 2), line=LinUCB(2, 8, alpha=1.0), exp3=EXP3(2, 4, 0.1), fading=Thompson(2, 4, 0.9),
                 looks=economy.fit_positions(items, slots, RNG.random(50) < 0.5, n_steps=2))
    same = economy.ips(np.ones(50), names["rewards"])
    assert np.isclose(same.value, names["rewards"].mean()) and economy.effective_size(np.ones(50)) == 50
    return names, dict(contexts=3, K=4, n=50, visits=6, states=5, slots=3, items=5, replicas=2, d=8)


def auctions():
    from recsys.economy.bridging import fit_bridging
    from recsys.economy.creators import exposure, mean_thresholds

    users, places = (unit / np.linalg.norm(unit, axis=1, keepdims=True) for unit in (1 + RNG.random((7, 2)), RNG.normal(size=(3, 2))))
    mean = users.mean(axis=0) / np.linalg.norm(users.mean(axis=0))
    raters, notes = np.divmod(np.arange(20), 4)
    names = dict(values=RNG.random(5), clicks=np.array([1.0, 0.5]), budget=3.0, quota=0.3, gain=1.0, gaps=RNG.random(40),
                 rounds=RNG.random((6, 40)), boost_for=economy.boost_for, control=economy.control, users=users, places=places, T=0.5, n=3,
                 exposure=exposure, mean_thresholds=mean_thresholds, angles=np.arccos(users @ mean), beta=2.0,
                 fitted=fit_bridging(raters, notes, RNG.random(20), sweeps=2), campaign=economy.pace(
                     RNG.random((9, 1)), RNG.random((9, 1)), np.array([3.0]), step=0.1))
    names["bids"] = economy.lowest_envy_free_bids(names["values"], names["clicks"])
    assert economy.vcg(names["bids"], names["clicks"]).payments.shape == (5,)
    wanted = (1 - 2 / 3) * (np.sin(names["angles"]) ** 2).mean() / np.cos(names["angles"]).mean()
    assert np.isclose(mean_thresholds(users, 3).alone, wanted)
    return names, dict(slots=2, bidders=5, auctions=9, rounds=6, users=7, d=2, n=3, raters=5, notes=4)


@pytest.mark.parametrize("title, example", [("Policies and logs", policies), ("Auctions and creators", auctions)])
def test_symbols_of_the_economy_have_the_shapes_the_page_says(title, example):
    check(title, *example())


@pytest.mark.parametrize("title, example", [("Ratings and history attention", ratings), ("The shop", shop),
                                            ("The newsroom", newsroom), ("The feedback loop", loop)])
def test_symbols_of_the_recommenders_have_the_shapes_the_page_says(title, example):
    with import_torch().no_grad():
        check(title, *example())


def test_every_section_of_the_page_is_checked():
    assert set(SECTIONS) == {"Attention weights", "Allocation", "Losses and gradients", "Mistakes", "Logs and rankings",
                             "Models of the ground chapters", "Models that read in order", "Ratings and history attention",
                             "The shop", "The newsroom", "The feedback loop", "Policies and logs", "Auctions and creators"}
