"""NeuMF: the sum of a GMF and an MLP that share no vector."""

import torch

from recsys.torch.gmf import GMF
from recsys.torch.mlp import MLP
from recsys.torch.neumf import NeuMF, NeuMFConfig

CONFIG = NeuMFConfig(dim=4, hidden=(8, 4))
USERS, ITEMS = torch.arange(3)[:, None], torch.arange(5)


def test_neumf_is_the_sum_of_a_gmf_and_an_mlp():
    model, gmf, mlp = NeuMF(3, 5, CONFIG), GMF(3, 5, CONFIG), MLP(3, 5, CONFIG)
    with torch.no_grad():
        for half, part in ((gmf, slice(None, 4)), (mlp, slice(4, None))):
            half.users.weight.copy_(model.users.weight[:, part])
            half.items.weight.copy_(model.items.weight[:, part])
    gmf.output.load_state_dict(model.product.state_dict())
    mlp.tower.load_state_dict(model.tower.state_dict())
    assert torch.allclose(model(USERS, ITEMS), gmf(USERS, ITEMS) + mlp(USERS, ITEMS), atol=1e-6)


def test_the_sum_is_one_output_layer_over_both_halves():
    """Equation 12 of the paper: h^T [phi_GMF; phi_MLP]."""
    model = NeuMF(3, 5, CONFIG)
    p, q = model.users.weight[1], model.items.weight[2]
    states = torch.relu(model.tower.first_user(p[4:]) + model.tower.first_item(q[4:]))
    states = torch.relu(model.tower.hidden[0](states))
    side_by_side = torch.cat([p[:4] * q[:4], states])
    h = torch.cat([model.product.weight[0], model.tower.output.weight[0]])
    expected = h @ side_by_side + model.product.bias[0] + model.tower.output.bias[0]
    assert torch.isclose(model(torch.tensor(1), torch.tensor(2)), expected, atol=1e-6)
