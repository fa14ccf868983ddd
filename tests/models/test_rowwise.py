"""Row-wise Adagrad beside AdamW: which numbers move, and by how much."""

import copy

import numpy as np
from tests.framework import equal, fw, needs_torch, start_at, tensor, twin

nn = fw.nn
RowwiseAdagrad = twin("optimisation", "RowwiseAdagrad")


def table(n_rows=6, sparse=True):
    start_at(0)
    return nn.Embedding(n_rows, 4, sparse=sparse)


def step_on(embedding, optimizer, ids, target=1.0):
    optimizer.zero_grad()
    ((embedding(tensor(ids)) - target) ** 2).sum().backward()
    gradient = embedding.weight.grad
    optimizer.step()
    return gradient.to_dense()


@needs_torch
def test_steps_agree_with_a_loop_over_rows():
    embedding = table()
    optimizer = RowwiseAdagrad(embedding.parameters(), lr=0.1, row_scale=2.0)
    rows, squares = embedding.weight.detach().numpy().copy(), np.zeros(6)
    for ids in ([1, 1, 3], [3, 5], [1, 3]):
        gradient = step_on(embedding, optimizer, ids).numpy()
        for row in set(ids):
            squares[row] += (gradient[row] ** 2).mean()
            rows[row] -= 0.2 * gradient[row] / (np.sqrt(squares[row]) + 1e-8)
        assert np.allclose(embedding.weight.detach(), rows, atol=1e-6)


@needs_torch
def test_a_row_that_is_not_touched_keeps_its_bits_and_its_state():
    embedding = table()
    before = embedding.weight.detach().clone()
    optimizer = RowwiseAdagrad(embedding.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        step_on(embedding, optimizer, [2, 4])
    others = [0, 1, 3, 5]
    assert equal(embedding.weight[others], before[others])
    assert (optimizer.state[embedding.weight]["row_square"][others] == 0).all()
    assert not equal(embedding.weight[[2, 4]], before[[2, 4]])


@needs_torch
def test_the_state_is_one_number_a_row():
    embedding = table(50)
    optimizer = RowwiseAdagrad(embedding.parameters(), lr=0.1)
    step_on(embedding, optimizer, [7])
    assert sum(value.numel() for value in optimizer.state[embedding.weight].values()) == 50


@needs_torch
def test_dense_parameters_are_updated_as_by_adamw():
    start_at(1)
    ours = nn.Linear(3, 2)
    theirs = copy.deepcopy(ours)
    mine = RowwiseAdagrad(ours.parameters(), lr=0.05, weight_decay=0.1)
    plain = fw.optim.AdamW(theirs.parameters(), lr=0.05, weight_decay=0.1)
    inputs = fw.randn(8, 3)
    for _ in range(4):
        for model, optimizer in ((ours, mine), (theirs, plain)):
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()
    assert equal(ours.weight, theirs.weight) and equal(ours.bias, theirs.bias)


def test_rows_and_dense_parameters_learn_together():
    start_at(2)
    model = nn.Sequential(table(20), nn.Linear(4, 1))
    optimizer = RowwiseAdagrad(model.parameters(), lr=0.05, row_scale=10.0)
    ids, targets = fw.arange(20), fw.randn(20, 1)
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = (model(ids) - targets).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
