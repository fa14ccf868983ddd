"""GMF and the dot product: their formulas, and that one says what the other says."""

import torch

from recsys.torch.dot_product import DotProduct, DotProductConfig
from recsys.torch.gmf import GMF, GMFConfig

USERS, ITEMS = torch.arange(3)[:, None], torch.arange(4)


def test_gmf_is_a_weighted_sum_of_products_by_loop():
    model = GMF(3, 4, GMFConfig(dim=5))
    p, q, h = model.users.weight[2], model.items.weight[1], model.output.weight[0]
    by_loop = model.output.bias[0] + sum(h[k] * p[k] * q[k] for k in range(5))
    assert torch.isclose(model(torch.tensor(2), torch.tensor(1)), by_loop, atol=1e-7)


def test_gmf_with_equal_weights_is_a_dot_product():
    model = GMF(3, 4, GMFConfig(dim=5))
    torch.nn.init.ones_(model.output.weight)
    expected = model.users.weight @ model.items.weight.T
    assert torch.allclose(model(USERS, ITEMS), expected, atol=1e-6)


def test_the_weights_of_gmf_can_be_taken_into_the_items():
    gmf, dot = GMF(3, 4, GMFConfig(dim=5)), DotProduct(3, 4, DotProductConfig(dim=5))
    with torch.no_grad():
        dot.users.weight[:, :-1] = gmf.users.weight
        dot.items.weight[:, :-1] = gmf.items.weight * gmf.output.weight
        dot.constant.copy_(gmf.output.bias[0])
    assert torch.allclose(gmf(USERS, ITEMS), dot(USERS, ITEMS), atol=1e-6)


def test_the_dot_product_adds_both_biases_and_starts_without():
    model = DotProduct(3, 4, DotProductConfig(dim=5))
    before = model(USERS, ITEMS)
    assert (model.users.weight[:, -1] == 0).all() and (model.items.weight[:, -1] == 0).all()
    with torch.no_grad():
        model.users.weight[1, -1], model.items.weight[2, -1] = 3.0, 0.5
        model.constant.fill_(-1.0)
    added = torch.zeros(3, 4) - 1
    added[1] += 3
    added[:, 2] += 0.5
    assert torch.allclose(model(USERS, ITEMS), before + added, atol=1e-6)
