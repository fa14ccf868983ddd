"""What the models over pairs share: draws, the loss, strangers, and what they refuse."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from recsys.batches.pairs import PairBatches, RatingBatches, TakenPairs
from recsys.data import Interactions
from recsys.evaluation import recommend
from recsys.neural.ncf import PairConfig
from recsys.neural.solve import pair_weights, solve_users
from recsys.training.loop import FitConfig
from tests.framework import equal, fw, needs_torch, start_at, tensor, twin

engine = twin("engine")
DotProductRecommender, GMFRecommender, MLPRecommender, NeuMFRecommender, logits_and_slopes, pair_loss = twin(
    "ncf", "DotProductRecommender", "GMFRecommender", "MLPRecommender", "NeuMFRecommender", "logits_and_slopes", "pair_loss"
)  # fmt: skip

MODELS = [DotProductRecommender, GMFRecommender, MLPRecommender, NeuMFRecommender]
LINEAR = MODELS[:2]
EVERYBODY = np.arange(40)


def config_of(model, **changes):
    return model.config_class(**{"dim": 8, "l2": 0.003, "batch_size": 256,
                                 "training": FitConfig(epochs=30, learning_rate=0.03, clip_norm=10.0), **changes})


@pytest.fixture(scope="module")
def groups():
    """Users and items in two groups; everybody takes half of the ten items of the own group."""
    random = np.random.default_rng(0)
    items = np.concatenate([10 * (user % 2) + random.permutation(10)[:5] for user in range(40)])
    return Interactions.from_ids(np.repeat(np.arange(40), 5), items, np.ones(200), np.arange(200))


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.network_class.__name__)
def trained(request, groups):
    return request.param(config_of(request.param)).fit(groups)


def own_group(scores):
    return scores.reshape(len(scores), 2, 10).mean(axis=2).argmax(axis=1)


def test_planted_groups_are_found(trained):
    assert (own_group(trained.score(EVERYBODY)) == EVERYBODY % 2).all()


def test_a_stranger_gets_the_own_group_from_two_titles(trained, groups):
    strangers = Interactions.from_sequences([[1, 4], [13, 17]], groups.item_ids)
    assert own_group(trained.score([0, 0], history=strangers)).tolist() == [0, 1]
    lists = recommend(trained, [0, 0], k=4, history=strangers)
    assert not np.isin(lists[0], [1, 4]).any() and not np.isin(lists[1], [13, 17]).any()


def test_a_pair_scores_as_in_the_full_table(trained):
    pairs = trained.network(tensor([3, 5]), tensor([11, 2])).detach()
    assert np.allclose(pairs, trained.score([3, 5])[[0, 1], [11, 2]], atol=1e-5)


def test_histories_in_chunks_score_as_in_one(trained, groups, monkeypatch):
    whole = trained.score(EVERYBODY, history=groups), trained.score(EVERYBODY)
    monkeypatch.setattr("recsys.neural.ncf.CHUNK_PAIRS", 500)
    assert np.allclose(trained.score(EVERYBODY, history=groups), whole[0], atol=1e-9)
    assert np.allclose(trained.score(EVERYBODY), whole[1], atol=1e-5)


def test_an_empty_history_gets_the_mean_user(trained, groups):
    both = Interactions.from_sequences([[], [3]], groups.item_ids)
    network = trained.network
    expected = network.logits(network.users.weight.mean(0), network.items.weight).detach()
    scores = trained.score([0, 0], history=both)
    assert np.allclose(scores[0], expected, atol=1e-4) and not np.allclose(scores[1], expected, atol=1e-2)


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.network_class.__name__)
def loved_by_all(request):
    """A model of forty users who all take items 0 to 3, and one other; twenty more have no event."""
    others = 4 + np.arange(40) % 16
    items = np.column_stack([np.tile(np.arange(4), (40, 1)), others]).ravel()
    users = np.repeat(np.arange(40), 5)
    log = Interactions(users, items, np.ones(200), np.arange(200), np.arange(60), np.arange(20))
    return request.param(config_of(request.param)).fit(log)


def test_a_user_without_an_event_is_served_like_an_empty_history(loved_by_all):
    users = np.array([45, 3, 59])
    nothing = Interactions.from_sequences([[]], np.arange(20))
    expected = loved_by_all.score([0], history=nothing)[0].astype(np.float32)
    scores = loved_by_all.score(users)
    assert (scores[[0, 2]] == expected).all() and np.allclose(scores[1], loved_by_all.score([3])[0], rtol=1e-5)
    assert set(np.argsort(-scores[0])[:4]) == {0, 1, 2, 3}


def test_a_user_without_an_event_has_no_part_in_what_a_stranger_gets(loved_by_all):
    past = Interactions.from_sequences([[], [7, 9]], np.arange(20))
    before = loved_by_all.score([45, 46]), loved_by_all.score([0, 0], history=past)
    table = loved_by_all.network.users.weight
    kept = table.detach().clone()
    with fw.no_grad():
        table[40:] += 5
    after = loved_by_all.score([45, 46]), loved_by_all.score([0, 0], history=past)
    with fw.no_grad():
        table.copy_(kept)
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def solved(network, seen, l2=0.003):
    start = network.users.weight.mean(0).detach().numpy()
    return tensor(solve_users(slopes_of(network), start, np.asarray(seen), 4, l2))


def slopes_of(network):
    return partial(engine.run, partial(logits_and_slopes, network))


def expected_loss(trained, vectors, seen, negatives=4):
    """The training loss of each user, averaged over all draws of negatives, by hand."""
    network = trained.network.double()
    logits = network.logits(vectors[:, None], network.items.weight)
    taken = seen.sum(1)
    right = (fw.nn.functional.softplus(-logits) * seen).sum(1)
    wrong = (fw.nn.functional.softplus(logits) * (1 - seen)).sum(1) * negatives * taken / (20 - taken)
    return (right + wrong) / ((1 + negatives) * taken) + trained.config.l2 * (vectors**2).sum(1)


@pytest.mark.parametrize("model", LINEAR)
def test_a_stranger_gets_the_minimum_of_the_expected_loss(model, groups):
    trained = model(config_of(model)).fit(groups)
    seen = tensor(groups.of_users([7, 8]).seen().toarray())
    vectors = solved(trained.network.double(), seen).requires_grad_()
    loss = expected_loss(trained, vectors, seen)
    assert fw.autograd.grad(loss.sum(), vectors)[0].abs().max() < 1e-14


def test_a_slope_is_the_change_of_a_logit_with_its_vector(trained):
    """By central differences; the first and the last vector, each with its own item, are far apart."""
    network = engine.in_float64(trained.network)
    vectors = np.random.default_rng(0).normal(size=(5, network.users.weight.shape[1]))
    logits, slopes = slopes_of(network)(vectors)
    assert np.allclose(logits, engine.run(network.scores, vectors), atol=1e-12)
    for axis in range(vectors.shape[1]):
        nudge = np.zeros_like(vectors)
        nudge[:, axis] = 1e-6
        rise = engine.run(network.scores, vectors + nudge) - engine.run(network.scores, vectors - nudge)
        assert np.allclose(slopes[..., axis], rise / 2e-6, atol=1e-6)


@needs_torch
@pytest.mark.parametrize("model", MODELS[2:])
def test_through_layers_the_solution_is_as_good_as_a_long_descent(model, groups):
    """With relu the loss has kinks and more than one minimum: no gradient of zero to ask for."""
    trained = model(config_of(model)).fit(groups)
    seen = tensor(groups.of_users([7, 8]).seen().toarray())
    found = solved(trained.network.double(), seen)
    start = trained.network.users.weight.detach().mean(0).repeat(2, 1)
    slow = start.clone().requires_grad_()
    optimizer = fw.optim.Adam([slow], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        expected_loss(trained, slow, seen).sum().backward()
        optimizer.step()
    first, last, ours = (expected_loss(trained, vectors, seen).detach() for vectors in (start, slow, found))
    assert (ours < last + 0.05 * (first - last)).all() and (first - last > 0.05).all()


@needs_torch
def test_a_stranger_of_gmf_is_a_logistic_regression_on_the_items(groups):
    trained = GMFRecommender(config_of(GMFRecommender)).fit(groups)
    network, seen = trained.network.double(), groups.of_users([7]).seen().toarray()[0]
    features = (network.items.weight * network.output.weight[0]).detach().numpy()
    weights = np.where(seen > 0, 1.0, 4 * 5 / 15) / 25
    regression = LogisticRegression(C=1 / (2 * 0.003), fit_intercept=False, tol=1e-10, max_iter=5000)
    intercept = np.full(20, 1e2)  # a feature so large that its weight costs nothing
    regression.fit(np.column_stack([features, intercept]), seen, sample_weight=weights)
    network.output.bias.data.fill_(regression.coef_[0, -1] * 1e2)
    vector = solved(network, seen[None])[0].numpy()
    assert np.allclose(vector, regression.coef_[0, :-1], atol=2e-3)


def test_pairs_weigh_as_often_as_they_are_met_in_many_epochs(groups):
    """Rows of a user's weights against counts in the batches; a row that took nothing weighs nothing."""
    weights = pair_weights(groups.seen().toarray(), 4)
    met = np.zeros((40, 20))
    batches = PairBatches(groups, negatives=4, batch_size=10**6)
    for epoch in range(200):
        users, items, _ = batches(epoch)[0]
        np.add.at(met, (users, items), 1 / (200 * 25))
    assert np.allclose(weights, met, atol=0.01) and np.allclose(weights.sum(1), 1)
    assert (pair_weights(np.zeros((2, 5)), 4) == 0).all()


def test_weights_of_another_model_or_vocabulary_are_refused(trained, groups, tmp_path):
    trained.save(tmp_path / "weights")
    other = next(model for model in MODELS if model is not type(trained))
    with pytest.raises(ValueError, match="model expected"):
        other(config_of(other)).load(tmp_path / "weights", groups)
    with pytest.raises(ValueError, match="vocabulary expected"):
        type(trained)(trained.config).load(tmp_path / "weights", replace(groups, user_ids=groups.user_ids + 1))


@pytest.mark.parametrize("model", MODELS)
def test_the_seed_of_the_training_decides_what_the_first_batch_holds(model, groups, monkeypatch):
    first = {}

    def stop(network, batch):
        first[seed] = fw.cat([part.flatten().double() for part in batch])
        raise InterruptedError

    for seed in (0, 1):
        training = replace(config_of(model).training, seed=seed)
        monkeypatch.setattr(model, "loss", stop)
        with pytest.raises(InterruptedError):
            model(config_of(model, training=training)).fit(groups)
    assert not equal(first[0], first[1])


@needs_torch
@pytest.mark.parametrize("model", MODELS)
def test_thirty_two_pairs_are_learnt_by_heart(groups, model):
    users, items = tensor(groups.users[:160:5]), fw.arange(32) % 20
    labels = (fw.arange(32) % 3 == 0).float()
    start_at(0)
    network = model.network_class(40, 20, config_of(model, l2=1e-12))
    optimizer = fw.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        pair_loss(network, (users, items, labels)).backward()
        optimizer.step()
    assert ((network(users, items) > 0) == (labels == 1)).all()


def test_the_loss_is_cross_entropy_plus_the_penalty_by_hand():
    network = GMFRecommender.network_class(3, 4, config_of(GMFRecommender, l2=0.5))
    users, items, labels = tensor([0, 2]), tensor([3, 1]), tensor([1.0, 0.0])
    chance = fw.sigmoid(network(users, items)).detach()
    entropy = -(fw.log(chance[0]) + fw.log(1 - chance[1])) / 2
    squares = (network.users.weight[[0, 2]] ** 2).sum() + (network.items.weight[[3, 1]] ** 2).sum()
    assert fw.isclose(pair_loss(network, (users, items, labels)), entropy + 0.5 * squares / 2)


def test_negatives_were_never_taken_and_each_positive_comes_once(groups):
    batches = PairBatches(groups, negatives=4, batch_size=64, seed=3)
    users, items, labels = (np.concatenate(column) for column in zip(*batches(2), strict=True))
    seen = groups.seen().toarray()
    assert (seen[users, items] == labels).all() and labels.sum() == 200 and len(labels) == 1000
    assert len(set(zip(users[labels == 1], items[labels == 1], strict=True))) == 200
    assert (np.bincount(users) == 25).all()
    assert all(np.array_equal(a, b) for one, two in zip(batches(2), batches(2), strict=True)
               for a, b in zip(one, two, strict=True))
    assert not np.array_equal(batches(2)[0][1], batches(3)[0][1])
    assert not np.array_equal(batches(2)[0][1], PairBatches(groups, 4, 64, seed=4)(2)[0][1])
    assert [len(labels) for _, _, labels in batches(2)] == [64] * 15 + [40]
    assert [column.dtype for column in batches(2)[0]] == [np.int64, np.int64, np.float32]


def test_negatives_are_uniform_over_what_was_not_taken(groups):
    batches = PairBatches(groups, negatives=50, batch_size=10**6)
    users, items, labels = batches(0)[0]
    of_one = np.bincount(items[(users == 6) & (labels == 0)], minlength=20)
    free = groups.seen().toarray()[6] == 0
    assert of_one.sum() == 250 and (of_one[free] > 0).all() and of_one.max() < 3 * of_one[free].mean()


def test_a_pair_taken_twice_counts_once(groups):
    twice = groups.select(np.concatenate([np.arange(200), np.arange(20)]))
    assert (TakenPairs(twice).codes == TakenPairs(groups).codes).all()
    once, again = PairBatches(groups, 4, 1000)(1)[0], PairBatches(twice, 4, 1000)(1)[0]
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_what_was_taken_is_known_of_each_pair_and_draws_have_the_shape_asked_for(groups):
    taken, seen = TakenPairs(groups), groups.seen().toarray()
    everyone, everything = np.meshgrid(np.arange(40), np.arange(20), indexing="ij")
    assert (taken.holds(everyone, everything) == (seen > 0)).all()
    users = np.random.default_rng(0).integers(0, 40, (7, 3, 5))
    drawn = taken.draw_others(users, np.random.default_rng(1))
    assert drawn.shape == users.shape and not seen[users, drawn].any()


def test_every_rating_comes_once_in_an_epoch_and_in_another_order_in_the_next(groups):
    rated = Interactions(groups.users, groups.items, 1.0 + groups.items % 5, groups.times,
                         groups.user_ids, groups.item_ids)
    batches = RatingBatches(rated, 64, seed=3)
    users, items, ratings = (np.concatenate(column) for column in zip(*batches(0), strict=True))
    assert [len(part) for part, _, _ in batches(0)] == [64, 64, 64, 8] and ratings.dtype == np.float32
    assert sorted(zip(users, items, strict=True)) == sorted(zip(rated.users, rated.items, strict=True))
    assert (ratings == 1 + items % 5).all()
    assert np.array_equal(batches(0)[0][1], RatingBatches(rated, 64, seed=3)(0)[0][1])
    assert not np.array_equal(batches(0)[0][1], batches(1)[0][1])
    assert not np.array_equal(batches(0)[0][1], RatingBatches(rated, 64, seed=4)(0)[0][1])


def test_nothing_warns_while_a_model_is_made(groups):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in MODELS:
            model.network_class(4, 5, config_of(model))


def test_what_cannot_be_learnt_from_is_named(groups):
    with pytest.raises(ValueError, match="expected users with some of the items, got none"):
        PairBatches(groups.select(np.zeros(0, dtype=int)), 4, 64)
    everything = Interactions.from_ids([0, 0, 1], [0, 1, 1], np.ones(3), np.arange(3))
    with pytest.raises(ValueError, match="got user 0 with all 2 items"):
        PairBatches(everything, 4, 64)
    skipped = Interactions(groups.users, groups.items, groups.values - (groups.items == 3), groups.times,
                           groups.user_ids, groups.item_ids)
    for model in MODELS:
        with pytest.raises(ValueError, match="expected values above 0, got .* of 200 at 0 or below"):
            model(config_of(model)).fit(skipped)
    for name in ("dim", "negatives", "batch_size"):
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
            PairConfig(**{name: 0})
    with pytest.raises(ValueError, match="l2: expected a number above 0, so that"):
        PairConfig(l2=0)
