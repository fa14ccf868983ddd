"""What mixing a history costs as it grows: attention, a decay like it, a recurrence.

Several rounds, so that a reader sees how far an exponent can be trusted.
"""

import time

import numpy as np
import torch
from scipy.signal import lfilter

from recsys.torch.mixers import AttentionMixer, DecayMixer, causal_ages

DATA: list[str] = []
CONFIG = {
    "dim": 64,
    "heads": 4,
    "lengths": [64, 128, 256, 512, 1024, 2048],
    "rounds": 9,
    "repeats": 3,
    "fitted from": 512,
}


def run(config):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rounds = [one_round(config) for _ in range(config["rounds"])]
    return {
        "protocol": (
            "one history, forward only, one thread; processor time of a call, median of "
            f"{config['repeats']} repeats; {config['rounds']} rounds, times: their medians"
        ),
        "milliseconds": medians(config, rounds),
        "exponent": {name: exponents(config, rounds, name) for name in rounds[0]},
    }


def one_round(config):
    """Milliseconds of each way, a number for each length."""
    dim, heads = config["dim"], config["heads"]
    attention, decay = AttentionMixer(dim, heads).eval(), DecayMixer(dim, heads).eval()
    taken = {}
    for length in config["lengths"]:
        items = torch.randn(1, length, dim)
        age, mask = causal_ages(torch.ones(1, length, dtype=torch.int64))
        ways = {
            "attention": lambda: attention(items, age, mask)[0],
            "decay, as a matrix": lambda: decay(items, age, mask)[0],
            "decay, as a recurrence": lambda: recurrence(decay, items),
        }
        with torch.no_grad():
            two = [ways[f"decay, as a {form}"]() for form in ("matrix", "recurrence")]
            if (two[0] - two[1]).abs().max() > 1e-4:
                raise AssertionError(f"The two decays differ at length {length}.")
            for name, way in ways.items():
                taken.setdefault(name, []).append(milliseconds(way, config["repeats"]))
    return taken


def medians(config, rounds):
    """A row for each length: the median over rounds of each way."""
    found = {
        name: np.median([one[name] for one in rounds], axis=0) for name in rounds[0]
    }
    return [
        {"length": length}
        | {name: round(float(row[place]), 3) for name, row in found.items()}
        for place, length in enumerate(config["lengths"])
    ]


def exponents(config, rounds, name):
    """The exponent of time in length: median, least and largest of the rounds."""
    lengths = np.array(config["lengths"])
    long = lengths >= config["fitted from"]
    found = [slope(lengths[long], np.array(one[name])[long]) for one in rounds]
    return [
        round(float(value), 3) for value in (np.median(found), min(found), max(found))
    ]


def recurrence(decay, items):
    """What `decay` returns, by running sums of values and of ones, shrunk at each step."""
    values = decay.heads(decay.value(items)).numpy()  # (1, heads, length, dim / heads)
    mixed = []
    for head, rate in enumerate(decay.rate().tolist()):
        shrink = [1.0, -np.exp(-rate)]
        mixed.append(
            lfilter([1.0], shrink, values[0, head], axis=0)
            / lfilter([1.0], shrink, np.ones(len(values[0, head])))[:, None]
        )
    return decay.output(torch.from_numpy(np.concatenate(mixed, axis=1)).float()[None])


def milliseconds(way, repeats):
    """Median processor time of one call, after one that is not counted."""
    way()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(3):
            way()
        taken.append((time.process_time() - start) / 3)
    return 1e3 * float(np.median(taken))


def slope(lengths, times):
    """The exponent of time in length."""
    return float(np.polyfit(np.log(lengths), np.log(times), 1)[0])
