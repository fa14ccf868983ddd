"""The one error of the data room."""


class DataError(Exception):
    """Data that is not what it should be: says what was expected, what came, where, the mend."""
