"""History attention: who looks at what, what it learns, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.batches.histories import HistoryBatches
from recsys.data import Interactions
from recsys.evaluation import recommend
from recsys.neural.history_attention import BY_AGE, BY_CONTENT, POOLINGS
from recsys.training.loop import FitConfig
from tests.framework import equal, fw, needs_torch, start_at, tensor, twin

HistoryAttention, HistoryAttentionConfig, HistoryAttentionRecommender, history_loss = twin(
    "history_attention", "HistoryAttention", "HistoryAttentionConfig", "HistoryAttentionRecommender", "history_loss"
)  # fmt: skip
attention_ = twin("functional", "attention_")

CLOSE = dict(rtol=1e-4, atol=1e-5)
EVERYBODY = np.arange(40)


def config_of(pooling, **changes):
    training = FitConfig(epochs=12, learning_rate=0.03, save_every=3)
    return replace(HistoryAttentionConfig(dim=8, pooling=pooling, max_length=6, negatives=3, tokens=60,
                                          training=training), **changes)  # fmt: skip


@pytest.fixture(params=POOLINGS)
def network(request):
    start_at(0)
    return HistoryAttention(30, config_of(request.param)).eval()


@pytest.fixture
def ids():
    random = np.random.default_rng(1)
    return tensor(np.stack([random.permutation(20)[:8] + 1 for _ in range(3)]))


CANDIDATES = tensor([[25, 26, 27, 28]] * 3)


@pytest.fixture(scope="module")
def groups():
    """Users and items in two groups; everybody takes six of the ten items of the own group."""
    random = np.random.default_rng(0)
    lists = [10 * (user % 2) + random.permutation(10)[:6] for user in range(40)]
    return replace(Interactions.from_sequences(lists, np.arange(100, 120)), user_ids=np.arange(500, 540))


@pytest.fixture(scope="module", params=POOLINGS)
def trained(request, groups):
    return HistoryAttentionRecommender(config_of(request.param)).fit(groups)


@needs_torch
def test_a_score_is_constant_bias_and_product_by_loop(network, ids):
    with fw.no_grad():
        network.bias.weight.normal_()
        network.constant.fill_(0.3)
    scores, weights = network(ids, CANDIDATES)
    vectors, i = network.items.weight, 26
    values = [network.value.weight @ vectors[l] for l in ids[1]]
    logits = fw.zeros(8)
    if network.config.pooling in BY_CONTENT:
        query = network.query.weight @ vectors[i]
        logits = fw.stack([query @ (network.key.weight @ vectors[l]) / 8**0.5 for l in ids[1]])
    if network.config.pooling in BY_AGE:
        logits = logits - fw.tensor([7.0, 6, 5, 4, 3, 2, 1, 0]) / 16  # where the rate starts
    expected = fw.exp(logits) / fw.exp(logits).sum()
    pooled = sum(w * v for w, v in zip(expected, values, strict=True))
    assert fw.allclose(weights[1, 1], expected, **CLOSE)
    assert fw.isclose(scores[1, 1], 0.3 + network.bias.weight[i, 0] + vectors[i] @ pooled, **CLOSE)


def test_weights_sum_to_one_over_the_real_history_and_are_zero_on_padding(network, ids):
    weights = network(fw.nn.functional.pad(ids, (1, 2)), CANDIDATES)[1]
    assert weights.shape == (3, 4, 11) and fw.allclose(weights.sum(-1), fw.ones(3, 4))
    assert (weights[..., 0] == 0).all() and (weights[..., -2:] == 0).all()


@pytest.mark.parametrize("left, right", [(0, 5), (4, 0), (2, 3)])
def test_padding_never_changes_a_score(network, ids, left, right):
    padded = fw.nn.functional.pad(ids, (left, right))
    assert fw.allclose(network(padded, CANDIDATES)[0], network(ids, CANDIDATES)[0], **CLOSE)


def test_batch_composition_and_other_candidates_never_change_a_score(network, ids):
    together = network(ids, CANDIDATES)[0]
    for row in range(3):
        for place in range(4):
            alone = network(ids[row:row + 1], CANDIDATES[:1, place:place + 1])[0]
            assert fw.allclose(alone[0, 0], together[row, place], **CLOSE)


def test_what_came_later_never_changes_a_score(network, ids):
    visible = tensor([[1, 3, 5, 8]] * 3)
    changed = ids.clone()
    changed[:, 5:] = 30
    before, after = network(ids, CANDIDATES, visible)[0], network(changed, CANDIDATES, visible)[0]
    assert equal(before[:, :3], after[:, :3]) and not fw.allclose(before[:, 3], after[:, 3])
    assert fw.allclose(before[:, 1:2], network(ids[:, :3], CANDIDATES[:, 1:2])[0], **CLOSE)


@pytest.mark.parametrize("place", [0, 3, 8])
def test_a_candidate_planted_in_its_own_history_weighs_nothing_and_changes_nothing(network, ids, place):
    leaked = fw.cat([ids[:, :place], CANDIDATES[:, :1], ids[:, place:]], dim=1)
    scores, weights = network(leaked, CANDIDATES)
    assert (weights[:, 0, place] == 0).all()
    assert fw.allclose(scores[:, 0], network(ids, CANDIDATES)[0][:, 0], **CLOSE)
    assert (weights[:, 1:, place] > 0).all()
    _, in_training = network(leaked, CANDIDATES, tensor([[9] * 4] * 3))
    assert equal(in_training, weights)


def test_poolings_differ_by_the_projections_of_content_and_the_rate_of_age_only():
    networks = {pooling: HistoryAttention(30, config_of(pooling)) for pooling in POOLINGS}
    shapes = {pooling: {name: tuple(p.shape) for name, p in network.named_parameters()} for pooling, network in networks.items()}
    projections, rate = {"query.weight": (8, 8), "key.weight": (8, 8)}, {"raw_rate": ()}
    mean = shapes["mean"]
    assert shapes == {"attention": mean | projections | rate, "content": mean | projections, "decay": mean | rate, "mean": mean}
    assert not set(mean) & set(projections | rate)


def copied(network, pooling):
    """A network of another pooling with the same weights, as far as it has them."""
    other = HistoryAttention(30, config_of(pooling))
    kept = dict(other.named_parameters())
    other.load_state_dict({name: value for name, value in network.state_dict().items() if name in kept})
    return other.eval()


def agree(one, other, ids):
    """Whether two networks give the same scores and weights, where padding stands anywhere too."""
    padded = fw.nn.functional.pad(ids, (1, 2))
    return all(fw.allclose(ours, theirs, **CLOSE) for given in (ids, padded)
               for ours, theirs in zip(one(given, CANDIDATES), other(given, CANDIDATES), strict=True))  # fmt: skip


@pytest.fixture
def attention():
    """Attention whose content and age both matter."""
    start_at(0)
    network = HistoryAttention(30, config_of("attention"))
    with fw.no_grad():
        network.items.weight.normal_()
        network.raw_rate.fill_(0.3)
    return network.eval()


def test_a_rate_of_zero_leaves_content_and_no_content_leaves_decay(attention, ids):
    content, decay, mean = (copied(attention, pooling) for pooling in ("content", "decay", "mean"))
    assert not any(agree(*pair, ids) for pair in ((attention, content), (attention, decay), (content, mean), (decay, mean)))
    with fw.no_grad():
        attention.raw_rate.fill_(-100.0)
        assert agree(attention, content, ids)
        attention.query.weight.zero_()
        assert agree(attention, mean, ids)
        attention.raw_rate.fill_(0.3)
        assert agree(attention, decay, ids)
        decay.raw_rate.fill_(-100.0)
        assert agree(decay, mean, ids)


def test_decay_is_a_geometric_series_whoever_asks(attention, ids):
    decay = copied(attention, "decay")
    weights = decay(fw.nn.functional.pad(ids, (1, 2)), CANDIDATES)[1]
    keep = np.exp(-np.log1p(np.exp(0.3)))  # of a weight, for each newer event
    series = keep ** np.arange(7, -1, -1)
    expected = tensor((series / series.sum()).astype("float32")).expand(3, 4, 8)
    assert fw.allclose(weights[..., 1:9], expected, **CLOSE)
    assert np.isclose(float(decay.rate().detach()), np.log1p(np.exp(0.3)))


def test_age_counts_the_newer_events_that_a_candidate_may_look_at(attention, ids):
    decay = copied(attention, "decay")
    holes = fw.cat([ids[:, :3], fw.zeros(3, 2, dtype=fw.int64), ids[:, 3:]], dim=1)
    weights = decay(holes, CANDIDATES)[1]
    assert fw.allclose(weights[..., [0, 1, 2, 5, 6, 7, 8, 9]], decay(ids, CANDIDATES)[1], **CLOSE)
    first = decay(ids, CANDIDATES, tensor([[3] * 4] * 3))[1]
    assert fw.allclose(first[..., :3], decay(ids[:, :3], CANDIDATES)[1], **CLOSE)


def test_content_is_attention_of_the_formulas_to_the_bit(attention, ids):
    content = copied(attention, "content")
    past, asked = content.items(ids), content.items(CANDIDATES)
    mask = fw.ones(3, 4, 8, dtype=fw.bool)
    output, weights = attention_(content.query(asked), content.key(past), content.value(past), mask)
    scores, found = content(ids, CANDIDATES)
    assert equal(found, weights)
    assert equal(scores, content.constant + content.bias(CANDIDATES)[..., 0] + (asked * output).sum(-1))


def test_contributions_sum_to_the_score(network, ids):
    with fw.no_grad():
        network.bias.weight.normal_()
    scores, _ = network(ids, CANDIDATES)
    rest = network.constant + network.bias(CANDIDATES)[..., 0]
    assert fw.allclose(network.contributions(ids, CANDIDATES).sum(-1) + rest, scores, **CLOSE)


def test_a_history_of_padding_alone_scores_by_the_bias(network):
    with fw.no_grad():
        network.bias.weight.normal_()
    scores, weights = network(fw.zeros(3, 4, dtype=fw.int64), CANDIDATES)
    assert fw.allclose(scores, network.constant + network.bias(CANDIDATES)[..., 0]) and (weights == 0).all()


def batches_of(log):
    return HistoryBatches(log, max_length=6, negatives=3, tokens=60)


def test_every_event_but_the_first_is_a_target_once_and_sees_what_came_before(groups):
    lists = [tuple(groups.items[groups.users == user] + 1) for user in EVERYBODY]
    found, seen = [], groups.seen().toarray()
    for history, candidates, visible in batches_of(groups)(3):
        for row, place in np.argwhere(candidates[..., 0]).tolist():
            past = tuple(history[row, :visible[row, place, 0]].tolist())
            target, *drawn = candidates[row, place].tolist()
            fitting = [user for user in EVERYBODY if lists[user][:place + 2] == (*past, target)]
            assert any(not seen[user, np.array(drawn) - 1].any() for user in fitting) and target not in past
            assert (visible[row, place] == place + 1).all()
            found.append((*past, target))
    assert sorted(found) == sorted(ids[:t + 1] for ids in lists for t in range(1, 6))


def test_batches_repeat_themselves_and_epochs_differ(groups):
    batches = batches_of(groups)
    flat = [[array for batch in batches(epoch) for array in batch] for epoch in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(flat[0], flat[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(flat[0], flat[2], strict=False))
    other = HistoryBatches(groups, max_length=6, negatives=3, tokens=60, seed=1)(1)
    assert not all(np.array_equal(a, b) for a, b in zip(flat[0], [array for batch in other for array in batch]))


def test_rows_of_unequal_length_are_padded_and_padding_asks_nothing(groups):
    log = Interactions.from_sequences([[1, 2], [3, 4, 5, 6], [7, 8, 9]], groups.item_ids)
    [(history, candidates, visible)] = batches_of(log)(0)
    assert history.shape == (3, 3) and candidates.shape == visible.shape == (3, 3, 4)
    targets = candidates[..., 0]
    assert sorted(targets[targets != 0]) == [3, 5, 6, 7, 9, 10] and ((candidates == 0).all(2) == (targets == 0)).all()
    assert HistoryAttentionRecommender.targets((history, candidates, visible)) == 6 * 4


def test_padding_adds_nothing_to_the_loss(network, ids):
    candidates = tensor(np.random.default_rng(0).integers(21, 31, (3, 8, 4)))
    visible = fw.arange(1, 9)[:, None].expand(3, 8, 4)
    wider = (fw.nn.functional.pad(ids, (0, 3)), fw.nn.functional.pad(candidates, (0, 0, 0, 3)),
             fw.arange(1, 12)[:, None].expand(3, 11, 4))  # fmt: skip
    assert fw.isclose(history_loss(network, (ids, candidates, visible)), history_loss(network, wider), atol=1e-6)


def own_group(scores):
    return scores.reshape(len(scores), 2, 10).mean(axis=2).argmax(axis=1)


def test_planted_groups_are_found_for_users_and_strangers(trained, groups):
    assert (own_group(trained.score(EVERYBODY)) == EVERYBODY % 2).all()
    strangers = Interactions.from_sequences([[1, 4, 5], [13, 17, 11]], groups.item_ids)
    assert own_group(trained.score([0, 0], history=strangers)).tolist() == [0, 1]
    assert (recommend(trained, [0, 0], k=5, history=strangers) // 10 == [[0], [1]]).all()


def test_the_score_in_a_column_is_the_networks_of_that_item_after_that_history(trained, groups):
    past = groups.items[groups.users == 7] + 1
    pairs, _ = trained.run(trained.network, past[None], np.array([[4, 16, 20]]))
    assert np.allclose(trained.score([7])[0, [3, 15, 19]], pairs[0], **CLOSE)


def test_only_the_newest_events_are_read(trained, groups):
    long = Interactions.from_sequences([list(range(20))], groups.item_ids)
    short = Interactions.from_sequences([list(range(14, 20))], groups.item_ids)
    assert np.allclose(trained.score([0], history=long)[0, :14], trained.score([0], history=short)[0, :14], **CLOSE)


def test_the_seed_of_the_training_decides_what_the_first_batch_holds(groups, monkeypatch):
    first = {}

    def stop(network, batch):
        first[seed] = batch[1].flatten()
        raise InterruptedError

    for seed in (0, 1):
        training = replace(config_of("mean").training, seed=seed)
        monkeypatch.setattr(HistoryAttentionRecommender, "loss", stop)
        with pytest.raises(InterruptedError):
            HistoryAttentionRecommender(config_of("mean", training=training)).fit(groups)
    assert first[0].shape != first[1].shape or not equal(first[0], first[1])


def test_thirty_two_targets_are_learnt_by_heart():
    random = np.random.default_rng(0)
    log = Interactions.from_sequences([random.permutation(40)[:2] for _ in range(32)], np.arange(40))
    config = config_of("attention", dim=32, tokens=1000, training=FitConfig(epochs=250, learning_rate=0.02))
    assert HistoryAttentionRecommender(config).fit(log).result.losses[-1] < 0.1


@pytest.mark.parametrize("bad", [21, -1])
def test_an_id_outside_the_catalogue_is_named(trained, bad):
    with pytest.raises(ValueError, match=rf"ids from 0 .padding. to 20, got {bad} at row 1, column 2"):
        trained.ids([np.array([4]), np.array([1, 2, bad])])


def test_what_cannot_be_learnt_from_is_named(groups):
    with pytest.raises(ValueError, match="expected a user with two events or more, got none"):
        batches_of(Interactions.from_sequences([[1], [2]], np.arange(5)))
    with pytest.raises(ValueError, match="got user 1 with all 3 items"):
        batches_of(Interactions.from_sequences([[1], [2, 0, 1]], np.arange(3)))
    with pytest.raises(ValueError, match="expected values above 0, got 240 of 240 at 0 or below"):
        HistoryAttentionRecommender(config_of("mean")).fit(replace(groups, values=np.zeros(240)))
    with pytest.raises(ValueError, match="pooling: expected one of .'attention', 'content', 'decay', 'mean'., got 'max'"):
        HistoryAttentionConfig(pooling="max")
    with pytest.raises(ValueError, match="max_length: expected at least 1, got 0"):
        HistoryAttentionConfig(max_length=0)
