"""What notebooks use to speak to the book, and what checks that they told the truth.

Notebooks import `claim`, `study`, `figure` and `show` from here. The rest
(validation, the linter, `reproduce`) is called by the command line and the tests.
"""

from recsys.book.claims import claim
from recsys.book.figures import COLOURS, figure, show
from recsys.book.studies import study

__all__ = ["COLOURS", "claim", "figure", "show", "study"]
