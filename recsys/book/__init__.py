"""What notebooks use to speak to the book, and what checks that they told the truth.

Notebooks import `claims`, `study`, `figure` and `show` from here, readers `check`. The
rest (validation, the linter, `reproduce`) is called by the command line and the tests.
"""

from recsys.book.claimed import claim, claims
from recsys.book.exercises import check
from recsys.book.figures import COLOURS, figure, show
from recsys.book.studies import study

__all__ = ["COLOURS", "check", "claim", "claims", "figure", "show", "study"]
