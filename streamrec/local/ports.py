"""Free ports on the loopback interface."""

import socket
from contextlib import ExitStack


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """So many different free ports.

    Examples
    --------
    >>> len(set(free_ports(3)))
    3
    """
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """`preferred` or, if taken, the next free one of the hundred after it; any free port for 0.

    Raises
    ------
    OSError
        All hundred are taken.
    """
    if preferred == 0:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    for port in range(preferred, preferred + 100):
        if is_free(port, host):
            return port
    raise OSError(f"no free port from {preferred} to {preferred + 99}; stop what listens there or choose another")
