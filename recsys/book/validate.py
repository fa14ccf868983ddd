"""Strict nbval with a tolerance for floats: a pytest plugin (`-p recsys.book.validate`).

nbval compares what a notebook prints with what it printed when it was stored, as text. Text and
integers must agree exactly. A float may differ by one unit of its last printed digit, or by the
number that the cell's metadata gives as `tolerance`; a printed claim by the tolerance of the claim.
A notebook that was never executed, or a cell that asks to be excused, is an error here and not a
pass.
"""

from __future__ import annotations

import re

NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d[\d,]*\.\d+|\.\d+|\d[\d,]*)(?:[eE][-+]?\d+)?(?![\w])"
)
EXCUSES = {
    "nbval-ignore-output",
    "nbval-skip",
    "nbval-raises-exception",
    "raises-exception",
    "nbval-check-output",
}


CLAIM = re.compile(r"^claim (\S+): (\S+)$")


class Printed(str):
    """Text of an output that equals another text when only floats differ, and only a little."""

    tolerance: float | None = None

    def __eq__(self, other) -> bool:
        lines, others = str(self).splitlines(), str(other).splitlines()
        if len(lines) != len(others):
            return same(str(self), str(other), self.tolerance)
        plain = [
            pair for pair in zip(lines, others, strict=True) if not same_claim(*pair)
        ]
        return same(
            "\n".join(line for line, _ in plain),
            "\n".join(other for _, other in plain),
            self.tolerance,
        )

    def __ne__(self, other) -> bool:
        return not self == other

    __hash__ = str.__hash__


def same_claim(stored: str, fresh: str) -> bool:
    """Whether two lines print one claim of the book, both within its tolerance."""
    from recsys.book.claimed import read_claims

    old, new = CLAIM.match(stored), CLAIM.match(fresh)
    if not old or not new or old[1] != new[1] or old[1] not in read_claims():
        return False
    known = read_claims()[old[1]]
    return all(
        _near(f"{known.value:.12f}", said.replace(",", ""), known.tolerance)
        or stored == fresh
        for said in (old[2], new[2])
    )


def same(stored: str, fresh: str, tolerance: float | None = None) -> bool:
    """Whether `fresh` says the same as `stored`: text and integers exactly, floats nearly.

    White space counts only as separation, since a column widens with its longest number.
    """
    texts = [" ".join(NUMBER.sub("\0", text).split()) for text in (stored, fresh)]
    if texts[0].replace(" ", "") != texts[1].replace(" ", ""):
        return False
    return all(
        _near(a, b, tolerance)
        for a, b in zip(NUMBER.findall(stored), NUMBER.findall(fresh), strict=True)
    )


def _near(stored: str, fresh: str, tolerance: float | None) -> bool:
    if stored == fresh:
        return True
    a, b = (text.replace(",", "").replace("−", "-") for text in (stored, fresh))
    if "." not in a or "." not in b:
        return False
    mantissa, _, exponent = a.lower().partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(a) - float(b)) <= max(unit, tolerance or 0) * (1 + 1e-9)


def pytest_collection_modifyitems(items) -> None:
    """Patch nbval's cells, and refuse notebooks that would pass without being checked."""
    import pytest
    from nbval.plugin import IPyNbCell

    cells = [item for item in items if isinstance(item, IPyNbCell)]
    for cell in cells:
        excused = EXCUSES & set(cell.cell.metadata.get("tags", []))
        if excused or re.search(r"#\s*NBVAL_", cell.cell.source):
            raise pytest.UsageError(
                f"{cell.nodeid}: a cell asks to be excused from validation ({excused or 'comment'})."
            )
        if cell.cell.execution_count is None:
            raise pytest.UsageError(
                f"{cell.nodeid}: stored without having been executed; "
                "run recsys reproduce --update to store its outputs."
            )
        drawn = {"image/svg+xml"} - set(cell.parent.skip_compare)
        cell.parent.skip_compare += tuple(drawn)  # its summary is compared
    if cells:
        IPyNbCell.sanitize = _printed


def _printed(self, text):
    if not isinstance(text, str):
        return text
    printed = Printed(text)
    printed.tolerance = self.cell.metadata.get("tolerance")
    return printed


def pytest_terminal_summary(terminalreporter) -> None:
    """Say what the notebook cost; its kernel has ended by now."""
    from recsys.book.pieces import processor_seconds

    terminalreporter.write_line(f"processor seconds: {processor_seconds():.1f}")
