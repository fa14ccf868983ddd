"""Gradients by hand against the autograd of both frameworks, in float64."""

import numpy as np

from recsys import attention as A

BAR = 1e-10  # of max(1, |gradient|)


def test_hand_gradient_equals_autograd(backend, derived):
    name, case = derived
    hand = case.gradients(**case.arguments)
    value, automatic = backend.autograd(name, case.arguments, list(hand))
    np.testing.assert_allclose(value, case.value(**case.arguments), rtol=1e-11, atol=1e-13)
    for argument, gradient in hand.items():
        expected = automatic[argument]
        error = np.abs(gradient - expected) / np.maximum(1, np.abs(expected))
        assert error.max() < BAR, argument


def compare(hand, automatic):
    for one, other in zip(hand, automatic, strict=True):
        error = np.abs(one - other) / np.maximum(1, np.abs(other))
        assert error.max() < BAR


rng = np.random.default_rng(3)
QUERY, ITEMS, CANDIDATES = (rng.normal(size=shape) for shape in [(3, 2, 4), (3, 5, 6), (3, 2, 6)])
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], dtype=bool)


def layer_gradients(backend, name, arguments, inputs, width):
    """Parameters, a cotangent, and gradients of inputs and parameters by autograd."""
    parameters = backend.parameters(name, arguments, dtype="float64")
    g = rng.normal(size=(3, inputs[0].shape[1], width))
    inputs_by_autograd, grads = backend.gradients(name, arguments, inputs, g, MASK, parameters)
    return parameters, g, inputs_by_autograd, grads


def test_dot_product_layer_has_the_gradients_of_projected_attention(backend):
    arguments = {"query_dim": 4, "item_dim": 6, "dim": 5}
    p, g, of_inputs, of_parameters = layer_gradients(
        backend, "DotProductAttention", arguments, [QUERY, ITEMS], 5
    )
    w = A.Projections(p["query.weight"], p["key.weight"], p["value.weight"])
    *hand, matrices = A.projected_attention_vjp(QUERY, ITEMS, w, g, MASK[:, None, :])
    compare(hand, of_inputs)
    compare(matrices[:3], [of_parameters[f"{n}.weight"] for n in ("query", "key", "value")])


def test_multi_head_layer_has_the_gradients_of_multi_head_attention(backend):
    p, g, of_inputs, of_parameters = layer_gradients(
        backend, "MultiHeadSelfAttention", {"dim": 6, "n_heads": 3, "causal": True}, [ITEMS], 6
    )
    names = [f"{n}.weight" for n in ("query", "key", "value", "output")]
    w, mask = A.Projections(*(p[n] for n in names)), MASK[:, None, :] & A.causal_mask(5)
    as_query, as_items, matrices = A.multi_head_attention_vjp(ITEMS, ITEMS, w, 3, g, mask)
    compare([as_query + as_items], of_inputs)
    compare(matrices, [of_parameters[n] for n in names])


def test_target_layer_has_the_gradients_of_target_scores(backend):
    p, g, of_inputs, of_parameters = layer_gradients(
        backend, "TargetAttention", {"dim": 6, "hidden_dim": 7}, [CANDIDATES, ITEMS], 6
    )
    names = ["candidate.weight", "candidate.bias", "item.weight", "product.weight"]
    matrices = [*(p[n] for n in names), p["direction.weight"][:, 0]]
    weights = A.attend(A.target_scores(CANDIDATES, ITEMS, *matrices), ITEMS, MASK[:, None, :])[1]
    grad_scores, grad_values = A.attend_vjp(weights, ITEMS, g)
    hand = A.target_scores_vjp(CANDIDATES, ITEMS, *matrices, grad_scores)
    compare([hand[0], hand[1] + grad_values], of_inputs)
    compare(hand[2:6], [of_parameters[n] for n in names])
    compare([hand[6][:, None]], [of_parameters["direction.weight"]])
