"""The exceptions that the command line turns into one line."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what is wrong, where (file, row, key), and how to mend it. The command line prints it and
    exits with code 2.
    """


class Interrupted(Exception):
    """Ctrl-C, or its like, in work that keeps what it has finished; the message says what that is.

    The command line prints it and exits with code 130. Not a KeyboardInterrupt, whose message would be lost on the way.
    """
