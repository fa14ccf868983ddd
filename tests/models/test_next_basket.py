"""Target attention on baskets: a literal version, what each pooling keeps, padding, strangers."""

import numpy as np
import pytest
import torch

from recsys.data import Interactions
from recsys.torch import next_basket
from recsys.torch.fit import FitConfig
from recsys.torch.next_basket import (
    POOLINGS, Customer, NextBasket, NextBasketAttention, NextBasketConfig, listwise_loss, padded,
)  # fmt: skip


def network(pooling="sum", match=True, seed=0):
    torch.manual_seed(seed)
    model = NextBasketAttention(12, NextBasketConfig(pooling, match, dim=4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        model.items.weight[0] = 0
    return model.eval()


def question(length=5, n_candidates=3, seed=1):
    torch.manual_seed(seed)
    return (torch.randint(1, 13, (2, n_candidates)), torch.randn(2, n_candidates, 3), torch.randint(1, 13, (2, length)),
            torch.randint(0, 7, (2, length)))


def literal(model, candidate, popularity, history, gaps):
    """One score by loops over the history, in NumPy."""
    part = {name: value.detach().numpy() for name, value in model.named_parameters()}
    same_question, same_answer = part["same"]
    of = part["items.weight"]
    query, ask = part["query.weight"] @ of[candidate], part["ask.weight"] @ of[candidate]
    logits, answers = [], []
    for item, gap in zip(history, gaps, strict=True):
        same = float(item == candidate and model.config.match)
        logits.append(query @ (part["key.weight"] @ of[item]) / 2 + part["gap"][gap] + same_question * same)  # 2 = sqrt(4)
        answers.append(ask @ (part["value.weight"] @ of[item]) + same_answer * same)
    logits = np.array(logits)
    weights = {"mean": np.ones(len(logits)) / max(len(logits), 1), "sum": 1 / (1 + np.exp(-logits)),
               "softmax": np.exp(logits) / max(np.exp(logits).sum(), 1e-30)}[model.config.pooling]
    return weights @ np.array(answers) + popularity @ part["popularity"]


@pytest.mark.parametrize("match", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_scores_agree_with_a_literal_version(pooling, match):
    model, (candidates, popularity, history, gaps) = network(pooling, match), question()
    scores = model(candidates, popularity, history, gaps)[0]
    for row in range(2):
        for place in range(3):
            expected = literal(model, *(part[row].numpy() for part in (candidates[:, place], popularity[:, place])),
                               history[row].numpy(), gaps[row].numpy())
            assert scores[row, place].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_and_other_candidates_never_change_a_score(pooling):
    model, (candidates, popularity, history, gaps) = network(pooling), question()
    scores, weights = model(candidates, popularity, history, gaps)
    zeros = torch.zeros(2, 3, dtype=torch.int64)
    longer, heavier = model(candidates, popularity, torch.cat([zeros, history, zeros], 1),
                            torch.cat([zeros, gaps, zeros + 4], 1))
    assert torch.allclose(scores, longer, atol=1e-6)
    assert (heavier[:, :, :3] == 0).all() and (heavier[:, :, -3:] == 0).all()
    assert torch.allclose(heavier[:, :, 3:-3], weights)
    assert torch.allclose(model(candidates[:, 1:], popularity[:, 1:], history, gaps)[0], scores[:, 1:], atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_a_history_never_matters_but_its_ages_do(pooling):
    model, (candidates, popularity, history, gaps) = network(pooling), question()
    scores = model(candidates, popularity, history, gaps)[0]
    assert torch.allclose(model(candidates, popularity, history.flip(1), gaps.flip(1))[0], scores, atol=1e-6)
    changed = model(candidates, popularity, history, gaps.flip(1))[0]
    assert torch.allclose(changed, scores, atol=1e-6) == (pooling == "mean")


def test_only_the_sum_keeps_counts():
    """A history told twice: what is read doubles under the sum, and is the same under softmax and mean."""
    candidates, popularity, history, gaps = question()
    for pooling in POOLINGS:
        model = network(pooling)
        known = popularity @ model.popularity
        once = model(candidates, popularity, history, gaps)[0] - known
        twice = model(candidates, popularity, history.repeat(1, 2), gaps.repeat(1, 2))[0] - known
        assert torch.allclose(twice, once * (2 if pooling == "sum" else 1), atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_without_history_only_popularity_speaks(pooling):
    model, (candidates, popularity, *_) = network(pooling), question()
    nothing = torch.zeros(2, 4, dtype=torch.int64)
    for history in (nothing, nothing[:, :0]):
        assert torch.allclose(model(candidates, popularity, history, history)[0], popularity @ model.popularity, atol=1e-6)


def test_the_loss_is_the_listwise_formula_whatever_the_padding():
    model = network()
    rng = np.random.default_rng(0)
    rows = [Customer(rng.integers(1, 13, n), rng.normal(size=(n, 3)).astype(np.float32), rng.integers(1, 13, length),
                     rng.integers(0, 7, length), np.arange(n) < 2) for n, length in ((6, 3), (4, 7))]
    expected = 0.0
    for row in rows:
        scores = model(*padded([row]))[0][0].detach().numpy()
        expected -= (scores[:2] - np.log(np.exp(scores).sum())).mean() / 2
    assert listwise_loss(model, rows).item() == pytest.approx(expected, abs=1e-5)


def shop():
    rng = np.random.default_rng(0)
    rows = [(user, item, 10 * visit) for user in range(60) for visit in range(5)
            for item in {user % 20, int(rng.integers(20, 40))}]
    users, items, days = np.array(rows).T
    return Interactions.from_ids(users, items, np.ones(len(users)), days, time_unit="day")


@pytest.mark.parametrize("lead", [None, 10])
def test_a_planted_habit_is_learned_and_strangers_are_served(lead):
    log = shop()
    model = NextBasket(training=FitConfig(epochs=10, learning_rate=0.02), lead=lead, candidates=10, batch=16).fit(log)
    users = np.arange(60)
    scores = model.score(users)
    assert (scores.argmax(axis=1) == users % 20).mean() > 0.95
    assert np.allclose(model.score(users[[7, 3]], history=log.of_users([7, 3])), scores[[7, 3]], atol=1e-5)
    assert np.allclose(model.score([11])[0], scores[11], atol=1e-5)
    three, nobody = (Interactions.from_sequences([items], log.item_ids) for items in ([4, 4, 4], []))
    assert model.score([0], history=three).argmax() == 4 and np.isfinite(model.score([0], history=nobody)).all()


def test_the_same_seed_gives_the_same_scores():
    log = shop()
    first, again, other = (NextBasket(training=FitConfig(epochs=1), candidates=5, seed=seed).fit(log).score([0, 1])
                           for seed in (0, 0, 1))
    assert (first == again).all() and not np.allclose(first, other)


def test_what_goes_wrong_in_training_leaves_the_earlier_fit(monkeypatch):
    log, model = shop(), NextBasket(training=FitConfig(epochs=1), candidates=5, batch=16)
    before = model.fit(log).score([0, 1])
    small = log.select(log.items < 20)
    monkeypatch.setattr(next_basket, "listwise_loss", lambda network, rows: listwise_loss(network, rows) * torch.nan)
    with pytest.raises(ValueError, match="loss"):
        model.fit(Interactions.from_ids(small.users, small.items, small.values, small.times, time_unit="day"))
    assert (model.score([0, 1]) == before).all()


def test_ids_and_ages_out_of_range_are_named():
    candidates, popularity, history, gaps = question()
    for wrong, match in (((candidates + 12, popularity, history, gaps), "expected 0 .padding. to 12"),
                         ((candidates, popularity, history - 13, gaps), "expected 0 .padding. to 12"),
                         ((candidates, popularity, history, gaps - 1 - gaps.min()), "gaps: expected a bucket from 0 to 6"),
                         ((candidates, popularity, history, gaps + 7), "gaps: expected a bucket from 0 to 6")):
        with pytest.raises(ValueError, match=match):
            network()(*wrong)


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="batch: expected at least 1, got 0"):
        NextBasket(batch=0)
    with pytest.raises(ValueError, match="pooling: expected one of mean, softmax, sum, got 'max'"):
        NextBasketConfig(pooling="max")
    with pytest.raises(ValueError, match="dim: expected at least 1, got 0"):
        NextBasketConfig(dim=0)
