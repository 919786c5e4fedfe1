"""Ports that are free at the moment."""

import os
import random
import socket

# Below the ports that systems give to outgoing connections, above those of the nodes.
_RANGE = (20_500, 31_500)
_dice = random.Random(os.urandom(8))


def is_free(port, address="127.0.0.1"):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


def free_run(count):
    """The first of `count` ports in a row, all free."""
    for _ in range(200):
        first = _dice.randrange(*_RANGE)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row")


def free_port():
    return free_run(1)
