"""MLP: one layer over both vectors, and what a dot product cannot say."""

import pytest
import torch

from recsys.torch.mlp import MLP, MLPConfig

CONFIG = MLPConfig(dim=4, hidden=(16, 8))


def test_the_first_layer_is_one_layer_over_both_vectors_side_by_side():
    model = MLP(3, 4, CONFIG)
    both = torch.cat([model.users.weight[1], model.items.weight[2]])
    tower = model.tower
    matrix = torch.cat([tower.first_user.weight, tower.first_item.weight], dim=1)  # (16, 8)
    states = torch.relu(matrix @ both + tower.first_user.bias)
    expected = tower.output(torch.relu(tower.hidden[0](states)))[0]
    assert torch.isclose(model(torch.tensor(1), torch.tensor(2)), expected, atol=1e-6)


def test_as_many_layers_as_were_asked_for():
    sizes = [tuple(layer.weight.shape) for layer in MLP(3, 4, MLPConfig(dim=4, hidden=(16, 8, 2))).tower.hidden]
    assert sizes == [(8, 16), (2, 8)] and len(MLP(3, 4, MLPConfig(hidden=(5,))).tower.hidden) == 0


def test_user_and_item_have_matrices_of_their_own():
    model = MLP(4, 4, CONFIG)
    with torch.no_grad():
        model.items.weight.copy_(model.users.weight)
    table = model(torch.arange(4)[:, None], torch.arange(4))
    assert not torch.allclose(table, table.T)


@pytest.mark.parametrize("hidden", [(), (8, 0)])
def test_a_network_without_layers_is_named(hidden):
    with pytest.raises(ValueError, match="hidden: expected the sizes of one layer or more"):
        MLPConfig(hidden=hidden)
