"""The one exception for bad input."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what is wrong, where (file, row, key), and how to mend it. The command line prints it and
    exits with code 2.
    """
