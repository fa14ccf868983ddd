"""The ladder of parity: both frameworks climb it apart, and what they bring is compared.

    python -m recsys.book.parity torch DIRECTORY [CASE ...]
    python -m recsys.book.parity paddle DIRECTORY [CASE ...]

Each call is a process with one framework. From the same start, on the same batches and
with the same random numbers it computes, for each network, the rungs: what every layer
says, the loss, every gradient, dropout's masks, 200 steps of the optimizer with the
weights after 1, 10, 50 and 200, and a training that stops and goes on (`climb`). Arrays
end in DIRECTORY, one file a network and dtype. `rungs` reads the files of both, and
says how far apart they are on each rung, and the first layer that differs. `trainings`
has whole trainings on real data.
"""

from recsys.book.parity.cases import CASES
from recsys.book.parity.climb import Ladder
from recsys.book.parity.rungs import compare

__all__ = ["CASES", "Ladder", "compare"]
