"""Name of the person who runs a command, as records of operations keep it."""


def operator_name() -> str:
    """Return `user@host` of this process."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
