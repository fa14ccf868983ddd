"""The engine: gradients, updates and states, dense and sparse, against their definitions."""

import numpy as np
import pytest
import torch
from torch import nn

from recsys.torch.engine import Engine, run, tensors
from recsys.torch.optimisation import RowwiseAdagrad, clip_gradients, pack_state, unpack_state
from tests.training.small_run import CONFIG, bag_batches, bags, batches, bits, counting, network, squared, train


@pytest.mark.parametrize("longest", [0.1, 100.0])
def test_a_sparse_gradient_is_clipped_as_the_dense_one_of_the_same_rows(longest):
    sparse, dense = bags(), bags()
    dense.table.sparse = False
    for model in (sparse, dense):
        model.eval()
        squared(model, tensors(bag_batches(0)[0])).backward()  # rows occur more than once
    assert sparse.table.weight.grad.is_sparse and not sparse.table.weight.grad.is_coalesced()
    norm = clip_gradients(sparse, longest)
    expected = nn.utils.clip_grad_norm_(dense.parameters(), longest)
    assert torch.isclose(norm, expected) and 0.1 < expected < 100
    for one, other in zip(sparse.parameters(), dense.parameters(), strict=True):
        assert torch.allclose(one.grad.to_dense(), other.grad, rtol=1e-5, atol=1e-8)


def test_a_row_that_no_batch_meets_keeps_its_bits_under_an_optimizer_for_sparse_gradients():
    model, before = bags(), bags()

    def rowwise(model, config):
        return RowwiseAdagrad(model.parameters(), lr=config.learning_rate)

    result = train(model, data=bag_batches, optimizer=rowwise)
    moved = (model.table.weight != before.table.weight).any(1)
    assert moved[:10].all() and not moved[10:].any() and result.losses[-1] < result.losses[0]


def test_each_group_of_an_optimizer_keeps_its_own_peak():
    seen = []

    class Noting(torch.optim.SGD):
        def step(self, closure=None):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    def groups(model, config):
        slow, *fast = model.parameters()
        return Noting([{"params": [slow], "lr": 1e-3}, {"params": fast}], lr=config.learning_rate)

    train(network(), squared, CONFIG, optimizer=groups)
    shares = np.array(seen) / [1e-3, CONFIG.learning_rate]
    assert len(seen) == 16 and np.allclose(shares[:, 0], shares[:, 1]) and np.isclose(shares[0, 0], 1 / 25)


def test_plain_numbers_in_the_state_of_an_optimizer_come_back(tmp_path):
    def table_only(model, config):  # SparseAdam counts its steps in a plain int
        return torch.optim.SparseAdam([model.table.weight], lr=config.learning_rate)

    expected, model = bags(), bags()
    train(expected, data=bag_batches, optimizer=table_only)
    with pytest.raises(ValueError, match="the loss is nan at step 8"):
        train(bags(), counting(8, lambda: float("nan")), CONFIG, None, tmp_path / "state",
              data=bag_batches, optimizer=table_only)  # fmt: skip
    train(model, squared, CONFIG, None, tmp_path / "state", data=bag_batches, optimizer=table_only)
    assert bits(model) == bits(expected)


def test_a_sparse_state_of_an_optimizer_is_refused_by_name():
    model = bags()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.state[model.table.weight]["momentum_buffer"] = torch.eye(12, 4).to_sparse()
    with pytest.raises(ValueError, match="dense tensors in its state, got 'momentum_buffer' of 'table.weight'"):
        pack_state(model, optimizer)


def test_a_state_of_another_model_is_refused_by_name():
    model = bags()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for packed in ({"tables.weight:exp_avg": torch.zeros(12, 4)}, {"table.weight:exp_avg": torch.zeros(4, 12)}):
        with pytest.raises(ValueError, match=f"expected the state of a parameter of this model, got '{[*packed][0]}'"):
            unpack_state(model, optimizer, packed)


def test_the_gradient_of_the_engine_is_that_of_the_loss_and_its_norm():
    model, other = network(), network()
    engine = Engine(model.eval(), squared, CONFIG)
    batch = batches(0)[0]
    value, norm = engine.gradient(batch, np.random.default_rng(0))
    expected = squared(other.eval(), tensors(batch))
    expected.backward()
    assert value == expected.item()
    whole = torch.cat([parameter.grad.ravel() for parameter in other.parameters()])
    assert norm == pytest.approx(whole.norm().item(), rel=1e-6)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad / max(1.0, norm / CONFIG.clip_norm), rtol=1e-4)


def test_dropout_draws_from_the_generator_of_the_step_and_from_nothing_else():
    engine = Engine(network().train(), squared, CONFIG)
    batch = batches(0)[0]
    first, again, other = (engine.gradient(batch, np.random.default_rng([0, step])) for step in (3, 3, 4))
    assert first == again and first[0] != other[0]


def test_weights_are_copies_and_come_back():
    model = network()
    engine = Engine(model, squared, CONFIG)
    before, kept = bits(model), engine.weights()
    with torch.no_grad():
        model[0].weight += 1
    assert bits(model) != before
    engine.load_weights(kept)
    assert bits(model) == before


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(bad):
    model = network()
    engine, before = Engine(model, squared, CONFIG), bits(model)
    weights = engine.weights()
    weights["3.bias"][0] = bad
    with pytest.raises(ValueError, match="weights: expected finite numbers, got others in 3.bias; train again"):
        engine.load_weights(weights)
    assert bits(model) == before


def test_running_a_network_takes_arrays_gives_arrays_and_keeps_no_gradient():
    inputs = batches(0)[0][0]
    model = network().eval()
    one = run(model, inputs)
    both = run(lambda rows: (model(rows), rows), inputs)
    assert isinstance(one, np.ndarray) and (both[0] == one).all() and (both[1] == inputs).all()
    assert run(lambda scalar: scalar, np.float32(3.0)).shape == ()
    assert model[0].weight.grad is None
