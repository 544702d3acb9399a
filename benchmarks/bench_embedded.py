"""How long it takes from nothing to the first row, with the embedded server and its full durability."""

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from djflow.backend.embedded import EmbeddedServer


def first_row(server: EmbeddedServer) -> None:
    with contextlib.closing(psycopg.connect(server.acquire())) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def wait_until_stopped(server: EmbeddedServer) -> None:
    server.release()
    while server.status().running:
        time.sleep(0.005)


def seconds(action: Callable[[EmbeddedServer], None], server: EmbeddedServer) -> float:
    begin = time.perf_counter()
    action(server)
    return time.perf_counter() - begin


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / "home")
        print(f"cold start to the first row  {seconds(first_row, server):6.3f} s")
        print(f"running server, first row    {seconds(first_row, server):6.3f} s")
        print(f"release to stopped           {seconds(wait_until_stopped, server):6.3f} s")
        warm = []
        for _ in range(5):
            warm.append(seconds(first_row, server))
            wait_until_stopped(server)
        print(f"warm start to the first row  {sorted(warm)[2]:6.3f} s (median of 5)")


if __name__ == "__main__":
    main()
