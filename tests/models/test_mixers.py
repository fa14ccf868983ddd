"""The four mixers: closed forms of their weights, and how they are nested."""

import numpy as np
import pytest
from tests.framework import equal, fw, needs_torch, start_at, tensor, twin

MIXERS, AttentionMixer, DecayMixer, causal_ages = twin(
    "mixers", "MIXERS", "AttentionMixer", "DecayMixer", "causal_ages"
)  # fmt: skip

HEADS = 2


@pytest.fixture
def items():
    start_at(1)
    return fw.randn(3, 6, 8)


def mixed(mixer, items, ids=None):
    ids = fw.ones(items.shape[:2], dtype=fw.int64) if ids is None else ids
    return mixer(items, *causal_ages(ids))


def test_the_mean_weighs_the_past_alike(items):
    weights = mixed(MIXERS["mean"](8, HEADS), items)[1]
    assert fw.allclose(weights, (fw.ones(6, 6).tril() / fw.arange(1.0, 7)[:, None]).expand(3, HEADS, 6, 6))


@pytest.mark.parametrize("name", MIXERS)
def test_every_mixer_computes_in_double_precision(items, name):
    mixer = MIXERS[name](8, HEADS)
    single = mixed(mixer, items)
    double = mixed(mixer.double(), items.double())
    for one, other in zip(single, double, strict=True):
        assert other.dtype == fw.float64 and fw.allclose(one.double(), other, atol=1e-6)


def test_the_last_item_has_all_the_weight(items):
    assert equal(mixed(MIXERS["last"](8, HEADS), items)[1], fw.eye(6).expand(3, HEADS, 6, 6))


def test_decay_starts_at_the_slopes_of_alibi(items):
    mixer = DecayMixer(8, HEADS)
    assert fw.allclose(mixer.rate(), tensor([2.0**-4, 2.0**-8]), rtol=1e-4)
    weights = mixed(mixer, items)[1][0, :, -1].detach()
    for head, slope in enumerate([2.0**-4, 2.0**-8]):
        expected = np.exp(-slope * np.arange(5, -1, -1))
        assert np.allclose(weights[head], expected / expected.sum(), rtol=1e-4)


def test_attention_without_content_is_decay_and_at_other_rates_last_or_mean(items):
    attention, decay = AttentionMixer(8, HEADS), DecayMixer(8, HEADS)
    with fw.no_grad():
        attention.query.weight.zero_()
    decay.load_state_dict(attention.state_dict(), strict=False)
    assert equal(mixed(attention, items)[0], mixed(decay, items)[0])
    for rate, name in ((-60.0, "mean"), (60.0, "last")):
        control = MIXERS[name](8, HEADS)
        control.load_state_dict({key: value for key, value in decay.state_dict().items() if key != "raw_rate"})
        with fw.no_grad():
            decay.raw_rate.fill_(rate)
        assert fw.allclose(mixed(decay, items)[0], mixed(control, items)[0], atol=1e-6)


@needs_torch
def test_attention_agrees_with_a_loop(items):
    mixer = AttentionMixer(8, HEADS).requires_grad_(False)
    query, key, value = (layer.weight.numpy() for layer in (mixer.query, mixer.key, mixer.value))
    output, weights = mixed(mixer, items)
    for row, i in [(0, 0), (1, 3), (2, 5)]:
        states, means = items[row].numpy(), []
        for head, rate in enumerate(mixer.rate().numpy()):
            part = slice(4 * head, 4 * head + 4)
            scores = np.array([(query @ states[i])[part] @ (key @ states[j])[part] / 2 - rate * (i - j)
                               for j in range(i + 1)])  # fmt: skip
            expected = np.exp(scores) / np.exp(scores).sum()
            assert np.allclose(weights[row, head, i, :i + 1], expected, atol=1e-6)
            means.append(sum(w * (value @ state)[part] for w, state in zip(expected, states)))
        assert np.allclose(output[row, i], mixer.output.weight.numpy() @ np.concatenate(means), atol=1e-5)


@pytest.mark.parametrize("name", MIXERS)
def test_every_parameter_of_a_mixer_is_trained(name, items):
    mixer = MIXERS[name](8, HEADS)
    mixed(mixer, items)[0].square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in mixer.parameters())


def test_age_counts_real_items_only():
    age, mask = causal_ages(tensor([[0, 4, 0, 7, 9]]))
    assert age[0, 0, 4, [1, 3, 4]].tolist() == [2, 1, 0]
    assert (mask[0, 0, 4] == 0).tolist() == [False, True, False, True, True]
