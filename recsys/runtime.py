"""Seeds, threads and quiet imports: what every process of the project sets first.

Importing this module loads no framework. `recsys.torch` and `recsys.paddle` load theirs
through `import_torch` and `import_paddle`, so that the settings below hold wherever the
framework comes in first. The reasons were measured:

- with several spinning OpenMP threads a small training step of PyTorch took 10 to 100
  times longer on a shared machine of two cores, so one thread is the default;
- `import paddle` warns with an absolute path where ccache is missing, adds a handler to
  the root logger and lowers its level, sets an environment variable, draws from Python's
  generator, and logs from C++ with a time and a process id: a stored notebook would
  differ from a fresh one, and an importer finds his process changed.
"""

import logging
import os
import platform
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np


def prepare_environment() -> None:
    """Set one OpenMP thread and silence Paddle's C++ log, where the caller has not chosen.

    A framework reads both variables while it is loaded, so this runs before the import.
    A value that is already in the environment stays.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GLOG_minloglevel", "2")


def import_torch() -> ModuleType:
    """Load PyTorch with as many threads as OMP_NUM_THREADS says, one by default.

    Returns:
        The module `torch`.

    Raises:
        ModuleNotFoundError: PyTorch is not installed.
    """
    prepare_environment()
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"].split(",")[0]))
    return torch


def import_paddle() -> ModuleType:
    """Load PaddlePaddle so that it is quiet, quick, and changes nothing else.

    Its warning about ccache is not shown. Its strided kernels are switched off: without
    them a transpose or a slice takes a tenth of the time, on the way back too. The price
    is that a method that works in place on a view (`x[0].add_(1)`) does not reach `x`;
    an assignment (`x[0] += 1`) does.

    Returns:
        The module `paddle`.

    Raises:
        ModuleNotFoundError: PaddlePaddle is not installed (the extra is `recsys[paddle]`).
    """
    prepare_environment()
    with _left_as_it_was(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No ccache found")
        import paddle

        paddle.set_flags({"FLAGS_use_stride_kernel": False})
        if _is_amd():
            _choose_fast_products(paddle)
    return paddle


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Put back the root logger and Python's generator; remove variables that were added."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    environment, state = dict(os.environ), random.getstate()
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        random.setstate(state)


def _is_amd() -> bool:
    """Whether the processor says that it is AMD's; False where it does not say."""
    description = Path("/proc/cpuinfo")
    if description.exists():
        return "AuthenticAMD" in description.read_text()
    return "AuthenticAMD" in platform.processor()


def _choose_fast_products(paddle: ModuleType) -> None:
    """Let the MKL of 2019 in Paddle's wheel use AVX2 on a processor of another maker.

    By default it takes a path there that was measured to be 2.7 times slower. It reads
    the variable once, at the first product; `import_paddle` removes it again.
    """
    os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    square = paddle.ones([2, 2])
    paddle.matmul(square, square)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and each framework that is loaded already.

    Paddle's DataLoader shuffles with NumPy's global generator, so `paddle.seed` alone does
    not repeat a run. Call this after the import of a framework: one that comes later
    starts from its own seed.

    Args:
        seed: a whole number from 0 to 2**32 - 1, the range of NumPy's generator.

    Raises:
        ValueError: the seed is outside that range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(
            f"seed: expected a whole number from 0 to 2**32 - 1, got {seed}"
        )
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "paddle" in sys.modules:
        sys.modules["paddle"].seed(seed)


def person_watches() -> bool:
    """True where a progress bar has somebody to see it: a terminal, or a notebook run by hand."""
    if os.environ.get("RECSYS_QUIET"):
        return False
    return sys.stderr.isatty() or "ipykernel" in sys.modules
