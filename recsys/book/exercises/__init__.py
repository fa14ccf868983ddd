"""Exercises that answer: `check("2.2", answer)` says whether an answer is right.

`answers.yml` holds, by the label of an exercise, what it asks for, a hint and the answer
sealed, so that nobody reads it by accident. `numbers.yml` says which exercise has which
number on the pages; the build writes it. Both are part of the installed package.
"""

from recsys.book.exercises.checking import check
from recsys.book.exercises.numbering import write_numbers
from recsys.book.exercises.sealing import seal
from recsys.book.exercises.stored import Answer, read_answers, read_numbers

__all__ = ["Answer", "check", "read_answers", "read_numbers", "seal", "write_numbers"]
