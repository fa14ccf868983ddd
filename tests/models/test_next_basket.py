"""Target attention on baskets: a literal version, what each pooling keeps, padding, strangers."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from recsys.batches.candidates import GAP_EDGES
from recsys.batches.questions import coming
from recsys.data import Interactions
from recsys.neural.next_basket import POOLINGS, prepare
from recsys.training.loop import FitConfig
from tests.framework import equal, fw, needs_torch, start_at, tensor, twin

NextBasket, NextBasketAttention, NextBasketConfig, listwise_loss = twin(
    "next_basket", "NextBasket", "NextBasketAttention", "NextBasketConfig", "listwise_loss"
)  # fmt: skip


def network(pooling="sum", match=True, seed=0):
    start_at(seed)
    model = NextBasketAttention(12, NextBasketConfig(pooling, match, dim=4))
    with fw.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * fw.randn_like(parameter))
        model.items.weight[0] = 0
    return model.eval()


def question(length=5, n_candidates=3, seed=1):
    """History, gaps, candidates and popularity of two customers."""
    start_at(seed)
    return (fw.randint(1, 13, (2, length)), fw.randint(1, 80, (2, length)),
            fw.randint(1, 13, (2, n_candidates)), fw.randn(2, n_candidates, 3))


def literal(model, candidate, popularity, history, gaps):
    """One score by loops over the history, in NumPy."""
    part = {name: value.detach().numpy() for name, value in model.named_parameters()}
    same_question, same_answer = part["same"]
    of = {name: getattr(model, name)(model.items.weight).detach().numpy() for name in ("query", "key", "value", "ask")}
    pooling = model.config.pooling
    logits, answers = [], []
    for item, gap in zip(history, gaps, strict=True):
        same = float(item == candidate and model.config.match)
        content = of["query"][candidate] @ of["key"][item] / 2 + same_question * same  # 2 = sqrt(4)
        age = part["gap"][sum(gap >= edge for edge in GAP_EDGES)]
        logits.append({"decay": age, "content": content}.get(pooling, content + age))
        answers.append(of["ask"][candidate] @ of["value"][item] + same_answer * same)
    logits = np.array(logits)
    even, newest = np.ones(len(logits)), (gaps == gaps.min()).astype(float)
    weights = {"mean": even / len(logits), "newest": newest / newest.sum(), "sum": 1 / (1 + np.exp(-logits))}.get(
        pooling, np.exp(logits) / np.exp(logits).sum())
    return weights @ np.array(answers) + popularity @ part["popularity"]


@pytest.mark.parametrize("match", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_scores_agree_with_a_literal_version(pooling, match):
    model, inputs = network(pooling, match), question()
    history, gaps, candidates, popularity = inputs
    gaps[0, 1] = gaps[0].min()  # two purchases of the newest day
    scores = model(*inputs)[0]
    for row in range(2):
        for place in range(3):
            expected = literal(model, *(part[row].numpy() for part in (candidates[:, place], popularity[:, place])),
                               history[row].numpy(), gaps[row].numpy())
            assert scores[row, place].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_and_other_candidates_never_change_a_score(pooling):
    model, (history, gaps, candidates, popularity) = network(pooling), question()
    scores, weights = model(history, gaps, candidates, popularity)
    zeros = fw.zeros(2, 3, dtype=fw.int64)
    longer, heavier = model(fw.cat([zeros, history, zeros], 1), fw.cat([zeros, gaps, zeros + 4], 1),
                            candidates, popularity)
    assert fw.allclose(scores, longer, atol=1e-6)
    assert (heavier[:, :, :3] == 0).all() and (heavier[:, :, -3:] == 0).all()
    assert fw.allclose(heavier[:, :, 3:-3], weights)
    assert fw.allclose(model(history, gaps, candidates[:, 1:], popularity[:, 1:])[0], scores[:, 1:], atol=1e-6)


@needs_torch
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_a_history_never_matters_but_its_ages_do(pooling):
    model, (history, gaps, candidates, popularity) = network(pooling), question()
    scores = model(history, gaps, candidates, popularity)[0]
    assert fw.allclose(model(history.flip(1), gaps.flip(1), candidates, popularity)[0], scores, atol=1e-6)
    changed = model(history, gaps.flip(1), candidates, popularity)[0]
    assert fw.allclose(changed, scores, atol=1e-6) == (pooling in ("mean", "content"))


def test_content_and_decay_are_softmax_without_a_part_and_all_alike_is_the_mean():
    """The same parameters, then what one pooling does not know set to 0."""
    inputs = question()

    def weights(pooling, *zeros):
        model = network(pooling)
        with fw.no_grad():
            for name in zeros:
                getattr(model, name).zero_() if name == "gap" else getattr(model, name).weight.zero_()
            model.same[0] = 0.0 if "query" in zeros else 2.0
        return model(*inputs)[1]

    assert fw.allclose(weights("content"), weights("softmax", "gap"), atol=1e-6)
    assert fw.allclose(weights("decay"), weights("softmax", "query"), atol=1e-6)
    assert fw.allclose(weights("decay", "gap"), weights("mean"), atol=1e-6)
    assert not fw.allclose(weights("content"), weights("softmax"), atol=1e-2)
    assert not fw.allclose(weights("decay"), weights("softmax"), atol=1e-2)


def test_decay_weighs_by_age_alone_the_same_for_every_candidate_and_content_never_by_age():
    history, gaps, candidates, popularity = question(length=6, n_candidates=4)
    history[1, 2:4] = 0
    candidates[0, 0] = history[0, 0]
    model = network("decay")
    weights = model(history, gaps, candidates, popularity)[1].detach().numpy()
    rates = np.exp(model.gap.detach().numpy())[np.searchsorted(GAP_EDGES, gaps.numpy(), side="right")]
    rates = rates * (history.numpy() != 0)
    expected = rates / rates.sum(1, keepdims=True)
    assert np.allclose(weights, np.repeat(expected[:, None], 4, axis=1), atol=1e-6)
    model = network("content")
    told = model(history, gaps, candidates, popularity)[1]
    assert equal(told, model(history, gaps + 17, candidates, popularity)[1])
    assert not fw.allclose(told[:, 0], told[:, 1], atol=1e-3)


def test_newest_weighs_the_newest_day_evenly_wherever_padding_stands():
    history = tensor([[0, 3, 0, 5, 3, 7], [4, 4, 0, 2, 0, 0], [0, 0, 0, 0, 0, 0]])
    gaps = tensor([[0, 9, 1, 2, 2, 2], [40, 40, 0, 41, 3, 0], [0, 0, 5, 0, 0, 0]])  # days beside padding too
    candidates, popularity = tensor([[3, 9]] * 3), fw.zeros(3, 2, 3)
    scores, weights = network("newest")(history, gaps, candidates, popularity)
    expected = np.array([[0, 0, 0, 1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0, 0, 0, 0], [0] * 6])
    assert np.allclose(weights.detach().numpy(), np.repeat(expected[:, None], 2, axis=1), atol=1e-7)
    assert (scores[2] == 0).all()
    others = (weights.detach().numpy() == 0) == (np.repeat(expected[:, None], 2, axis=1) == 0)
    assert others.all()


NOT_USED = {"mean": {"query.weight", "key.weight", "gap"}, "newest": {"query.weight", "key.weight", "gap"},
            "decay": {"query.weight", "key.weight"}, "content": {"gap"}, "softmax": set(), "sum": set()}  # fmt: skip


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_gradient_reaches_every_parameter_that_a_pooling_uses_and_no_other(pooling):
    model, (history, gaps, candidates, popularity) = network(pooling), question(length=8, n_candidates=5)
    gaps[:, 1] = gaps.min()  # the newest day has two purchases and more
    candidates[:, 0] = history[:, 1]
    labels = tensor([[1.0, 0, 0, 0, 0], [0, 1, 0, 1, 0]])
    listwise_loss(model, (history, gaps, candidates, popularity, labels)).backward()
    reached = {name: part.grad is not None and part.grad.abs().sum().item() > 0 for name, part in model.named_parameters()}
    assert {name for name, is_reached in reached.items() if not is_reached} == NOT_USED[pooling]
    asks = pooling in ("content", "softmax", "sum")
    assert [slope != 0 for slope in model.same.grad.tolist()] == [asks, True]


def test_only_the_sum_keeps_counts():
    """A history told twice: what is read doubles under the sum, and is the same under softmax and mean."""
    history, gaps, candidates, popularity = question()
    for pooling in POOLINGS:
        model = network(pooling)
        known = popularity @ model.popularity
        once = model(history, gaps, candidates, popularity)[0] - known
        twice = model(history.repeat(1, 2), gaps.repeat(1, 2), candidates, popularity)[0] - known
        assert fw.allclose(twice, once * (2 if pooling == "sum" else 1), atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_without_history_only_popularity_speaks(pooling):
    model, (*_, candidates, popularity) = network(pooling), question()
    nothing = fw.zeros(2, 4, dtype=fw.int64)
    for history in (nothing, nothing[:, :0]):
        assert fw.allclose(model(history, history, candidates, popularity)[0], popularity @ model.popularity, atol=1e-6)


def test_the_loss_is_the_listwise_formula_whatever_the_padding():
    model = network()
    history, gaps, candidates, popularity = question(length=7, n_candidates=6)
    labels = tensor([[1.0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]])
    history[0, 3:], gaps[0, 3:], candidates[1, 4:] = 0, 0, 0
    expected = 0.0
    for row, (length, n, bought) in enumerate(((3, 6, [0, 1]), (7, 4, [1]))):
        cut = (history[:, :length], gaps[:, :length], candidates[:, :n], popularity[:, :n])
        one = (part[row:row + 1] for part in cut)
        scores = model(*one)[0][0].detach().numpy()
        expected -= (scores[bought] - np.log(np.exp(scores).sum())).mean() / 2
    batch = (history, gaps, candidates, popularity, labels)
    assert listwise_loss(model, batch).item() == pytest.approx(expected, abs=1e-5)


def shop():
    rng = np.random.default_rng(0)
    rows = [(user, item, 10 * visit) for user in range(60) for visit in range(5)
            for item in {user % 20, int(rng.integers(20, 40))}]
    users, items, days = np.array(rows).T
    return Interactions.from_ids(users, items, np.ones(len(users)), days, time_unit="day")


SMALL = NextBasketConfig(per_source=5, batch_size=16, training=FitConfig(epochs=1, learning_rate=0.01))


@pytest.fixture(scope="module")
def log():
    return shop()


@pytest.fixture(scope="module")
def trained(log):
    return NextBasket(SMALL).fit(log)


@pytest.mark.parametrize("usual_gap", [None, 10])
def test_a_planted_habit_is_learned_and_strangers_are_served(log, usual_gap):
    training = FitConfig(epochs=10, learning_rate=0.02)
    model = NextBasket(replace(SMALL, usual_gap=usual_gap, per_source=10, training=training)).fit(log)
    users = np.arange(60)
    scores = model.score(users)
    assert (scores.argmax(axis=1) == users % 20).mean() > 0.95
    assert np.allclose(model.score(users[[7, 3]], history=log.of_users([7, 3])), scores[[7, 3]], atol=1e-5)
    assert np.allclose(model.score([11])[0], scores[11], atol=1e-5)
    three, nobody = (Interactions.from_sequences([items], log.item_ids) for items in ([4, 4, 4], []))
    assert model.score([0], history=three).argmax() == 4 and np.isfinite(model.score([0], history=nobody)).all()


def test_what_was_prepared_once_gives_the_same_scores(log, trained, tmp_path):
    prepared = prepare(log, SMALL)
    model = NextBasket(SMALL).fit(log, prepared)
    assert model.proposals is prepared.proposals
    assert (model.score([0, 1]) == trained.score([0, 1])).all()
    model.save(tmp_path / "basket.safetensors")
    for other in (log.select(log.users != 3), log.select(log.users != 4)):
        model.fit(other)
        assert model.proposals.interactions is other  # and not what was prepared for the first log
    assert model.load(tmp_path / "basket.safetensors", log).proposals.interactions is log
    assert (model.score([0, 1]) == trained.score([0, 1])).all()


def test_a_network_blind_to_histories_ranks_by_the_late_sales_of_each_candidate(log, trained):
    model = copy.deepcopy(trained)
    with fw.no_grad():
        model.network.items.weight.zero_()
        model.network.same.zero_()
        model.network.popularity.copy_(tensor([1.0, 2.0, -4.0]))
    proposed = model.proposals.propose(coming(log, 40))
    days, items = proposed.candidates.questions.days[proposed.candidates.question], proposed.candidates.items
    shares = [model.proposals.sales.before(days, life)[np.arange(len(items)), items] for life in range(3)]
    logs = np.log(np.array(shares) + 1e-6)
    assert np.allclose(model.predict(model.proposals, proposed), logs[0] + 2 * logs[1] - 4 * logs[2], atol=1e-4)


def test_a_basket_of_which_nothing_was_proposed_teaches_nothing(log):
    rows = [(60 + user, item, day) for user in range(3) for item, day in ((0, 10), (40 + user, 40))]
    users, items, days = np.array(rows).T
    more = Interactions(
        np.append(log.users, users), np.append(log.items, items), np.ones(len(log) + 6), np.append(log.times, days),
        np.arange(63), np.arange(43), "day",
    )
    prepared = prepare(more, replace(SMALL, targets=1))
    candidates = prepared.candidates
    unanswered = np.setdiff1d(np.arange(63), candidates.question[candidates.labels == 1])
    assert set(candidates.questions.users[unanswered]) >= {60, 61, 62}
    model = NextBasket(replace(SMALL, targets=1)).fit(more, prepared)
    assert np.isfinite(model.score(np.arange(63))).all() and np.isfinite(model.result.losses).all()


def test_sums_of_the_loss_are_over_customers():
    assert NextBasket.targets((np.zeros((3, 5)),)) == 3


def test_the_day_of_the_basket_is_told_or_supposed(trained, log):
    assert not np.allclose(trained.score([2], days=41), trained.score([2], days=99))
    assert np.allclose(trained.score([2]), trained.score([2], days=int(log.times.max()) + 1))
    with pytest.raises(ValueError, match="expected a history before that day"):
        trained.score([2], days=7)


def test_settings_out_of_range_are_named():
    for settings, match in ((dict(batch_size=0), "batch_size: expected at least 1, got 0"),
                            (dict(pooling="max"), "pooling: expected one of mean, newest, decay, content, softmax, sum, got 'max'"),
                            (dict(dim=0), "dim: expected at least 1, got 0"),
                            (dict(usual_gap=0), "usual_gap: expected at least 1 day, or None"),
                            (dict(targets=0), "targets: expected at least 1")):
        with pytest.raises(ValueError, match=match):
            NextBasketConfig(**settings)
    few = shop().select(np.arange(40))
    with pytest.raises(ValueError, match="expected values above 0, got 40 of 40"):
        NextBasket(SMALL).fit(replace(few, values=np.zeros(40)))
    with pytest.raises(ValueError, match="not fitted"):
        NextBasket().score([0])
    with pytest.raises(ValueError, match="not fitted"):
        NextBasket().save("nowhere")


def test_what_was_prepared_for_another_log_or_other_settings_is_refused(log):
    prepared = prepare(log, SMALL)
    same_rows = log.select(np.arange(len(log)))
    with pytest.raises(ValueError, match="prepared: expected what was made of the log that is fitted"):
        NextBasket(SMALL).fit(same_rows, prepared)
    with pytest.raises(ValueError, match="prepared: expected gap, targets and proposals"):
        NextBasket(replace(SMALL, targets=SMALL.targets + 1)).fit(log, prepared)


def test_a_fit_that_fails_leaves_the_old_fit_and_nothing_of_the_log_it_failed_on(log):
    model = NextBasket(SMALL).fit(log)
    kept = dict(vars(model))
    model.log = __file__  # no directory: curves cannot be written
    later = replace(log, times=log.times + 1)
    with pytest.raises(OSError, match="curves not written"):
        model.fit(later)
    assert vars(model) == {**kept, "log": __file__} and model._prepared is None
