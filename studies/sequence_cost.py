"""What mixing a history costs as it grows: attention, a decay like it, a recurrence."""

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
    "repeats": 9,
    "fitted from": 512,
}


def run(config):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dim, heads = config["dim"], config["heads"]
    attention, decay = AttentionMixer(dim, heads).eval(), DecayMixer(dim, heads).eval()
    rows = []
    for length in config["lengths"]:
        items = torch.randn(1, length, dim)
        age, mask = causal_ages(torch.ones(1, length, dtype=torch.int64))
        ways = {
            "attention": lambda: attention(items, age, mask)[0],
            "decay, as a matrix": lambda: decay(items, age, mask)[0],
            "decay, as a recurrence": lambda: recurrence(decay, items),
        }
        with torch.no_grad():
            different = (
                (ways["decay, as a matrix"]() - ways["decay, as a recurrence"]())
                .abs()
                .max()
            )
            if different > 1e-4:
                raise AssertionError(
                    f"The two decays differ by {different} at length {length}."
                )
            rows.append(
                {"length": length}
                | {
                    name: milliseconds(way, config["repeats"])
                    for name, way in ways.items()
                }
            )
    fitted = [row for row in rows if row["length"] >= config["fitted from"]]
    exponents = {
        name: slope([row["length"] for row in fitted], [row[name] for row in fitted])
        for name in rows[0]
        if name != "length"
    }
    return {
        "protocol": "one history, forward only, one thread; processor time of a call, median of repeats",
        "milliseconds": rows,
        "exponent": exponents,
    }


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
    return round(1e3 * float(np.median(taken)), 3)


def slope(lengths, times):
    """The exponent of time in length."""
    return round(float(np.polyfit(np.log(lengths), np.log(times), 1)[0]), 3)
