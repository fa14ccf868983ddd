"""GMF, MLP, NeuMF and the dot product: their formulas, and which says what another says."""

import numpy as np
import pytest

from recsys.data import Interactions
from recsys.training.loop import FitConfig
from tests.framework import fw, needs_torch, tensor, twin

GMF, MLP, DotProduct, DotProductConfig, GMFConfig, GMFRecommender, MLPConfig, NeuMF, NeuMFConfig = twin(
    "ncf", "GMF", "MLP", "DotProduct", "DotProductConfig", "GMFConfig", "GMFRecommender", "MLPConfig", "NeuMF", "NeuMFConfig"
)  # fmt: skip

MLP_CONFIG, NEUMF_CONFIG = MLPConfig(dim=4, hidden=(16, 8)), NeuMFConfig(dim=4, hidden=(8, 4))
USERS, ITEMS, FIVE_ITEMS = fw.arange(3)[:, None], fw.arange(4), fw.arange(5)


@needs_torch
def test_gmf_is_a_weighted_sum_of_products_by_loop():
    model = GMF(3, 4, GMFConfig(dim=5))
    p, q, h = model.users.weight[2], model.items.weight[1], model.output.weight[0]
    by_loop = model.output.bias[0] + sum(h[k] * p[k] * q[k] for k in range(5))
    assert fw.isclose(model(tensor(2), tensor(1)), by_loop, atol=1e-7)


def test_gmf_with_equal_weights_is_a_dot_product():
    model = GMF(3, 4, GMFConfig(dim=5))
    fw.nn.init.ones_(model.output.weight)
    expected = model.users.weight @ model.items.weight.T
    assert fw.allclose(model(USERS, ITEMS), expected, atol=1e-6)


@needs_torch
def test_the_weights_of_gmf_can_be_taken_into_the_items():
    gmf, dot = GMF(3, 4, GMFConfig(dim=5)), DotProduct(3, 4, DotProductConfig(dim=5))
    with fw.no_grad():
        dot.users.weight[:, :-1] = gmf.users.weight
        dot.items.weight[:, :-1] = gmf.items.weight * gmf.output.weight
        dot.constant.copy_(gmf.output.bias[0])
    assert fw.allclose(gmf(USERS, ITEMS), dot(USERS, ITEMS), atol=1e-6)


def test_the_dot_product_adds_both_biases_and_starts_without():
    model = DotProduct(3, 4, DotProductConfig(dim=5))
    before = model(USERS, ITEMS)
    assert (model.users.weight[:, -1] == 0).all() and (model.items.weight[:, -1] == 0).all()
    with fw.no_grad():
        model.users.weight[1, -1], model.items.weight[2, -1] = 3.0, 0.5
        model.constant.fill_(-1.0)
    added = fw.zeros(3, 4) - 1
    added[1] += 3
    added[:, 2] += 0.5
    assert fw.allclose(model(USERS, ITEMS), before + added, atol=1e-6)


@needs_torch
def test_the_first_layer_is_one_layer_over_both_vectors_side_by_side():
    model = MLP(3, 4, MLP_CONFIG)
    both = fw.cat([model.users.weight[1], model.items.weight[2]])
    tower = model.tower
    matrix = fw.cat([tower.first_user.weight, tower.first_item.weight], dim=1)  # (16, 8)
    states = fw.relu(matrix @ both + tower.first_user.bias)
    expected = tower.output(fw.relu(tower.hidden[0](states)))[0]
    assert fw.isclose(model(tensor(1), tensor(2)), expected, atol=1e-6)


@needs_torch
def test_as_many_layers_as_were_asked_for():
    sizes = [tuple(layer.weight.shape) for layer in MLP(3, 4, MLPConfig(dim=4, hidden=(16, 8, 2))).tower.hidden]
    assert sizes == [(8, 16), (2, 8)] and len(MLP(3, 4, MLPConfig(hidden=(5,))).tower.hidden) == 0


def test_user_and_item_have_matrices_of_their_own():
    model = MLP(4, 4, MLP_CONFIG)
    with fw.no_grad():
        model.items.weight.copy_(model.users.weight)
    table = model(fw.arange(4)[:, None], fw.arange(4))
    assert not fw.allclose(table, table.T)


@pytest.mark.parametrize("hidden", [(), (8, 0)])
def test_a_network_without_layers_is_named(hidden):
    with pytest.raises(ValueError, match="hidden: expected the sizes of one layer or more"):
        MLPConfig(hidden=hidden)


def test_neumf_is_the_sum_of_a_gmf_and_an_mlp():
    model, gmf, mlp = NeuMF(3, 5, NEUMF_CONFIG), GMF(3, 5, NEUMF_CONFIG), MLP(3, 5, NEUMF_CONFIG)
    with fw.no_grad():
        for half, part in ((gmf, slice(None, 4)), (mlp, slice(4, None))):
            half.users.weight.copy_(model.users.weight[:, part])
            half.items.weight.copy_(model.items.weight[:, part])
    gmf.output.load_state_dict(model.product.state_dict())
    mlp.tower.load_state_dict(model.tower.state_dict())
    assert fw.allclose(model(USERS, FIVE_ITEMS), gmf(USERS, FIVE_ITEMS) + mlp(USERS, FIVE_ITEMS), atol=1e-6)


@needs_torch
def test_the_sum_is_one_output_layer_over_both_halves():
    """Equation 12 of the paper: h^T [phi_GMF; phi_MLP]."""
    model = NeuMF(3, 5, NEUMF_CONFIG)
    p, q = model.users.weight[1], model.items.weight[2]
    states = fw.relu(model.tower.first_user(p[4:]) + model.tower.first_item(q[4:]))
    states = fw.relu(model.tower.hidden[0](states))
    side_by_side = fw.cat([p[:4] * q[:4], states])
    h = fw.cat([model.product.weight[0], model.tower.output.weight[0]])
    expected = h @ side_by_side + model.product.bias[0] + model.tower.output.bias[0]
    assert fw.isclose(model(tensor(1), tensor(2)), expected, atol=1e-6)


def test_weights_are_refused_by_a_log_in_which_other_users_have_events(tmp_path):
    """Rows of users without an event were never trained: nobody else may be served by them."""
    rng = np.random.default_rng(3)
    whole = Interactions.from_ids(np.repeat(np.arange(12), 5), rng.integers(0, 9, 60), np.ones(60), np.arange(60))
    part = whole.select(whole.users < 10)
    config = GMFConfig(dim=4, training=FitConfig(epochs=1))
    model = GMFRecommender(config).fit(part)
    model.save(tmp_path / "weights")
    with pytest.raises(ValueError, match="users with an event expected"):
        GMFRecommender(config).load(tmp_path / "weights", whole)
    loaded = GMFRecommender(config).load(tmp_path / "weights", part)
    assert (loaded.score([10, 3]) == model.score([10, 3])).all()
