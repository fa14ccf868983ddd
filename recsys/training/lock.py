"""One run a checkpoint: the lock that a run holds while it trains."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def alone(path: Path | None) -> Iterator[None]:
    """Have a checkpoint to oneself while a run trains with it.

    The system's lock on a file beside it ends with the process, however that ends: what
    a kill leaves of the file holds nobody up. Where there is no such lock, or the place
    cannot be written, nothing is held.

    Args:
        path: of the checkpoint, or None.

    Raises:
        BlockingIOError: another run has it.
    """
    held = None
    if path is not None:
        lock = path.with_name(f"{path.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = _lock(lock)
        except BlockingIOError as error:
            message = (
                "expected a checkpoint that no other run trains with, got one that is in use; "
                "wait for that run, or give another place"
            )
            raise BlockingIOError(errno.EWOULDBLOCK, message, str(path)) from error
        except ImportError:
            pass  # Windows has no such lock
        except OSError:
            pass  # the first checkpoint will say what is wrong with the place
    try:
        yield
    finally:
        if held is not None:
            with suppress(OSError):
                lock.unlink()  # before it is let go, or it might be the next run's
            os.close(held)


def _lock(path: Path) -> int:
    """Open and lock a file, which nobody must have removed in between."""
    import fcntl

    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(number)
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(number), os.stat(path)):
                return number
        os.close(number)
