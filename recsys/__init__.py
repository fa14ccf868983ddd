"""recsys: the small package behind the book on attention.

Importing it loads no framework. Each room is imported by name, for example
`from recsys.data import load` or `from recsys.evaluation import evaluate`.
"""

__version__ = "0.1.0"
