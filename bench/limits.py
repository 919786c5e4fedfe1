"""What the machine itself can do: the limits that a copy between nodes has."""

import os
import socket
import threading
import time

BLOCK = 1 << 20


def disk_mb_per_s(folder, megabytes):
    """A file written from its beginning to its end, and synced once, in this folder's file system."""
    path = folder / "limit"
    block = os.urandom(BLOCK)
    count = megabytes * 1_000_000 // BLOCK
    began = time.monotonic()
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(count):
                file.write(block)
            os.fsync(file.fileno())
        took = time.monotonic() - began
    finally:
        path.unlink(missing_ok=True)
    return count * BLOCK / took / 1e6


def loopback_mb_per_s(megabytes):
    """Bytes from one socket of loopback to another, in the clear."""
    count = megabytes * 1_000_000 // BLOCK
    with socket.create_server(("127.0.0.1", 0)) as server:

        def send():
            block = os.urandom(BLOCK)
            with socket.create_connection(server.getsockname()) as sender:
                for _ in range(count):
                    sender.sendall(block)

        thread = threading.Thread(target=send, daemon=True)
        began = time.monotonic()
        thread.start()
        receiver, _ = server.accept()
        room, received = bytearray(BLOCK), 0
        with receiver:
            while got := receiver.recv_into(room):
                received += got
        took = time.monotonic() - began
        thread.join()
    return received / took / 1e6
