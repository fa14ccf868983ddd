"""Reading one file out of a zip archive, whatever the archive's bytes are."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from recsys.data.errors import DataError

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What is read: of these two no more is unpacked than was asked for."""


def member(archive: bytes | Path, name: str, limit: int) -> bytes:
    """The content of one file of a zip archive.

    Args:
        archive: its bytes, or where it lies.
        name: of the file, with the folders before it.
        limit: the most bytes that it may unpack to.

    Raises:
        DataError: no archive, no such file, a damaged one, or one that is larger.
    """
    source = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    try:
        with zipfile.ZipFile(source) as opened:
            info = opened.getinfo(name)
            if info.compress_type not in METHODS:
                raise ValueError(f"compression method {info.compress_type}")
            with opened.open(info) as file:
                content = file.read(limit + 1)
    except KeyError as error:
        raise DataError(f"the archive does not hold {name}") from error
    # A flipped byte may be anything to zipfile: zlib.error, RuntimeError, OSError, ...
    except Exception as error:
        raise DataError(
            f"expected an archive that holds {name}, got {type(error).__name__}: {error}"
        ) from error
    if len(content) > limit:
        raise DataError(f"expected {name} of at most {limit:,} bytes, got more")
    return content
