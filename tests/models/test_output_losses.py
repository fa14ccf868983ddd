"""Losses over a catalogue against the plain one, in value, gradient and expectation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from recsys.attention.sampled import sampled_softmax as reference
from recsys.batches.negatives import NegativeSampler
from tests.framework import fw, needs_torch, start_at, twin

F = fw.nn.functional
tensors = twin("engine", "tensors")
chunked_cross_entropy, sampled_softmax = twin("output_losses", "chunked_cross_entropy", "sampled_softmax")


def problem(positions, n_items, dim=5, scale=1.0, dtype=fw.float64, seed=0):
    start_at(seed)
    states = (scale * fw.randn(positions, dim, dtype=dtype)).requires_grad_()
    items = fw.randn(n_items, dim, dtype=dtype, requires_grad=True)
    return states, items, fw.randint(0, n_items, (positions,))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 15), st.integers(1, 25), st.integers(0, 99))
def test_chunks_change_neither_value_nor_gradients(positions, n_items, chunk, seed):
    states, items, targets = problem(positions, n_items, seed=seed)
    ours = chunked_cross_entropy(states, items, targets, chunk)
    plain = F.cross_entropy(states @ items.T, targets)
    assert fw.allclose(ours, plain, rtol=1e-12)
    for a, b in zip(fw.autograd.grad(3 * ours, (states, items)), fw.autograd.grad(3 * plain, (states, items))):
        assert fw.allclose(a, b, atol=1e-13)


@needs_torch
def test_gradients_agree_with_differences():
    states, items, targets = problem(7, 6)
    assert fw.autograd.gradcheck(lambda s, i: chunked_cross_entropy(s, i, targets, 3), (states, items))


def test_scores_far_apart_stay_finite_and_exact():
    """Beside float64 in NumPy: Paddle's own cross-entropy caps what a row may cost."""
    states, items, targets = problem(9, 11, scale=300.0, dtype=fw.float32)
    ours = chunked_cross_entropy(states, items, targets, 4).item()
    scores = (states.detach().numpy() @ items.detach().numpy().T).astype(float)
    costs = logsumexp(scores, axis=1) - scores[np.arange(9), targets.numpy()]
    assert ours == pytest.approx(costs.mean(), rel=1e-5) and ours > 100


@needs_torch
def test_memory_holds_the_scores_of_one_chunk_only():
    """Of 64 positions by 1,000 items never more than 8 are scored together."""
    states, items, targets = problem(64, 1000)
    largest = []

    class Watch(fw.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            result = operation(*args, **(kwargs or {}))
            if isinstance(result, fw.Tensor):
                largest.append(result.numel())
            return result

    with Watch():
        chunked_cross_entropy(states, items, targets, 8).backward()
    assert max(largest) == 8 * 1000


def test_a_nan_comes_through_to_be_seen():
    states, items, targets = problem(3, 4)
    with fw.no_grad():
        items[2, 1] = float("nan")
    assert fw.isnan(chunked_cross_entropy(states, items, targets))


def test_the_sampled_loss_is_the_reference_where_nothing_is_hit():
    states, items, targets = problem(6, 30)
    targets %= 10
    drawn = fw.arange(10, 30)
    log_q = fw.randn(20, dtype=fw.float64)
    scores = (states @ items.T).detach()
    mine = scores.gather(1, targets[:, None])[:, 0]
    ours = sampled_softmax(mine, scores[:, drawn], log_q, fw.zeros(6, 20, dtype=fw.bool))
    expected = reference(mine.numpy(), scores[:, drawn].numpy(), np.tile(log_q.numpy(), (6, 1)))
    assert np.isclose(ours.item(), expected, rtol=1e-12)


def test_with_every_item_drawn_once_the_sampled_loss_is_the_full_one():
    states, items, targets = problem(8, 12)
    scores, drawn = states @ items.T, fw.arange(12)
    log_q = fw.full((12,), -np.log(12.0), dtype=fw.float64)
    ours = sampled_softmax(scores.gather(1, targets[:, None])[:, 0], scores, log_q, targets[:, None] == drawn)
    plain = F.cross_entropy(scores, targets)
    assert fw.allclose(ours, plain, rtol=1e-12)
    assert fw.allclose(*(fw.autograd.grad(loss, states, retain_graph=True)[0] for loss in (ours, plain)))


@pytest.mark.parametrize("by", ["popularity", "uniform"])
def test_the_estimated_normaliser_has_the_full_one_as_its_expectation(by):
    """exp(loss + s_t) is the estimate; over many draws its mean is the sum of exp over all items."""
    start_at(0)
    counts = np.array([100, 0, 3, 10, 50, 1, 7, 20])
    scores, target = fw.randn(8, dtype=fw.float64), 4
    sampler, estimates = NegativeSampler(counts, 50, by), []
    rng = np.random.default_rng(0)
    for _ in range(4000):
        ids, log_q = tensors(sampler.draw(rng))
        drawn = ids - 1
        loss = sampled_softmax(scores[target:target + 1], scores[drawn][None], log_q.double(), (drawn == target)[None])
        estimates.append((loss + scores[target]).exp().item())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - scores.exp().sum().item()) < 4 * error
    assert error < 0.02 * scores.exp().sum().item()
