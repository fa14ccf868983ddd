"""The mixers: closed forms of their weights, and how they are nested."""

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


def test_attention_that_forgets_no_age_is_content_and_a_gate_that_says_nothing_is_the_mean(items):
    attention, content = AttentionMixer(8, HEADS), MIXERS["content"](8, HEADS)
    with fw.no_grad():
        attention.raw_rate.fill_(-60.0)
    content.load_state_dict({key: value for key, value in attention.state_dict().items() if key != "raw_rate"})
    assert fw.allclose(mixed(attention, items)[0], mixed(content, items)[0], atol=1e-6)
    gate, mean = MIXERS["gate"](8, HEADS), MIXERS["mean"](8, HEADS)
    mean.load_state_dict({key: value for key, value in gate.state_dict().items() if key != "gate.weight"})
    assert not fw.allclose(mixed(gate, items)[0], mixed(mean, items)[0], atol=1e-3)
    with fw.no_grad():
        gate.gate.weight.zero_()
    assert equal(mixed(gate, items)[0], mixed(mean, items)[0])


@needs_torch
def test_linear_attention_agrees_with_running_sums(items):
    mixer = MIXERS["linear"](8, HEADS).requires_grad_(False)
    output, weights = mixed(mixer, items)
    query, key = (np.where((x := mixer.heads(layer(items)).numpy()) > 0, x + 1, np.exp(x)) for layer in (mixer.query, mixer.key))
    value, rho = mixer.heads(mixer.value(items)).numpy(), np.exp(-mixer.rate().numpy())
    for row in range(3):
        means = np.zeros((6, HEADS, 4))
        for head in range(HEADS):
            sums, total = np.zeros((4, 4)), np.zeros(4)
            for i in range(6):
                sums = rho[head] * sums + np.outer(key[row, head, i], value[row, head, i])
                total = rho[head] * total + key[row, head, i]
                means[i, head] = query[row, head, i] @ sums / (query[row, head, i] @ total)
        assert np.allclose(output[row], means.reshape(6, 8) @ mixer.output.weight.numpy().T, atol=1e-5)
    assert fw.allclose(weights.sum(-1), fw.ones(3, HEADS, 6)) and (weights.triu(1) == 0).all()


@needs_torch
def test_the_recurrent_mixer_is_the_gru_of_the_library(items):
    mixer, library = MIXERS["recurrent"](8, HEADS).requires_grad_(False), fw.nn.GRU(8, 8, batch_first=True)
    order = [1, 0, 2]  # the library has reset before stay
    fw.nn.init.normal_(mixer.read.bias)
    fw.nn.init.normal_(mixer.keep.bias)
    for layer, name in ((mixer.read, "ih"), (mixer.keep, "hh")):
        for part, whole in (("weight", layer.weight), ("bias", layer.bias)):
            turned = fw.cat([whole.chunk(3)[place] for place in order])
            getattr(library, f"{part}_{name}_l0").data.copy_(turned)
    expected = mixer.output(library(items)[0])
    output, weights = mixed(mixer, items)
    assert fw.allclose(output, expected, atol=1e-6) and (weights == 0).all()


def test_age_counts_real_items_only():
    age, mask = causal_ages(tensor([[0, 4, 0, 7, 9]]))
    assert age[0, 0, 4, [1, 3, 4]].tolist() == [2, 1, 0]
    assert (mask[0, 0, 4] == 0).tolist() == [False, True, False, True, True]
