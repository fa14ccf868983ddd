"""Time explicit PyTorch attention beside scaled_dot_product_attention.

    OMP_NUM_THREADS=1 python bench/attention.py

Shape (batch, heads, length, dim per head) = (128, 4, 50, 16), float32, one thread. The two
take turns, so that a busy machine disturbs both alike, and the median of the ratios of
neighbours is printed. The explicit form returns the attention weights and checks its
input; the fused one does neither. The bar is a ratio of at most 1.5.

Every case runs once through before the clock starts. In a process that never took a
backward pass, glibc hands the memory of the weights (5 MB) back to the system after each
call and the forward pass alone then takes about 8 ms instead of 3.5, for the page faults.
"""

import statistics
import time

from recsys.torch import attention, causal_mask  # loads PyTorch with its threads set

import torch
from torch.nn.functional import scaled_dot_product_attention

BATCH, HEADS, LENGTH, DIM = 128, 4, 50, 16
ROUNDS, WARM_UP = 60, 5
BAR = 1.5


def masks() -> dict[str, torch.Tensor]:
    """The masks of the bar: right padding of random length, causality, and both."""
    lengths = torch.randint(1, LENGTH + 1, (BATCH,))
    padded = (torch.arange(LENGTH) < lengths[:, None])[:, None, None, :]
    causal = causal_mask(LENGTH)[None, None]
    return {"padded": padded, "causal": causal, "padded and causal": padded & causal}


def seconds(compute, backward: bool) -> float:
    """One call on fresh random inputs, with or without its gradient."""
    shape = (BATCH, HEADS, LENGTH, DIM)
    inputs = [torch.randn(shape, requires_grad=backward) for _ in range(3)]
    grad_output = torch.randn(shape)
    start = time.perf_counter()
    output = compute(*inputs)
    if backward:
        output.backward(grad_output)
    return time.perf_counter() - start


def compare(
    mask: torch.Tensor, backward: bool, fused_arguments: dict, rounds: int = ROUNDS
) -> tuple[float, ...]:
    """Median milliseconds of both and the median ratio of neighbouring calls."""
    pairs = []
    for _ in range(rounds):
        explicit = seconds(lambda *qkv: attention(*qkv, mask)[0], backward)
        fused = seconds(
            lambda *qkv: scaled_dot_product_attention(*qkv, **fused_arguments), backward
        )
        pairs.append((1e3 * explicit, 1e3 * fused))
    ratio = statistics.median(explicit / fused for explicit, fused in pairs)
    return *(statistics.median(column) for column in zip(*pairs)), ratio


def main() -> None:
    torch.manual_seed(0)
    print(f"{'mask':<30}{'pass':<20}{'explicit ms':>12}{'fused ms':>10}{'ratio':>7}")
    rows = [(name, mask, {"attn_mask": mask}) for name, mask in masks().items()]
    rows.append(("causal, fused by is_causal", masks()["causal"], {"is_causal": True}))
    for _, mask, fused_arguments in rows:
        compare(mask, True, fused_arguments, rounds=WARM_UP)
    for name, mask, fused_arguments in rows:
        for backward in (False, True):
            explicit, fused, ratio = compare(mask, backward, fused_arguments)
            passes = "forward + backward" if backward else "forward"
            verdict = "" if ratio <= BAR else f"  over {BAR}"
            print(f"{name:<30}{passes:<20}{explicit:>12.2f}{fused:>10.2f}{ratio:>7.2f}{verdict}")


if __name__ == "__main__":
    main()
