"""A worker that dies in the middle of a `make` leaves nothing of it."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from djflow.tables.schema import Schema

_WORKER = """
import sys, time
import numpy as np
import djflow as dj
from djflow.relation.database import Database
from djflow.configuration import changed
name, store = sys.argv[1:]
dj.config["stores"] = {"default": "local", "local": {"protocol": "file", "location": store}}
schema = dj.Schema(name)
@schema
class Number(dj.Lookup):
    definition = "number : int32"
    contents = [(n,) for n in range(3)]
@schema
class Slow(dj.Computed):
    definition = '''
    -> Number
    ---
    trace : <npy@>
    '''
    class Item(dj.Part):
        definition = '''
        -> master
        item : int16
        '''
    def make(self, key):
        self.insert1({**key, "trace": np.zeros(5)})
        self.Item.insert([{**key, "item": i} for i in range(3)])
        if key["number"] == 1 and "--hang" in STOP:
            print("inserted", flush=True)
            time.sleep(60)
STOP = sys.stdin.readline().split()
print(Slow.populate(), flush=True)
"""


def start(
    schema: Schema, tmp_path: Path, environment: dict[str, str], orders: str
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WORKER, schema.database, str(tmp_path / "store")]
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert worker.stdin is not None
    worker.stdin.write(orders + "\n")
    worker.stdin.flush()
    return worker


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_killed_inside_make_leaves_nothing_half_done(
    schema: Schema, tmp_path: Path, process_environment: dict[str, str], how: signal.Signals
) -> None:
    worker = start(schema, tmp_path, process_environment, "--hang")
    assert worker.stdout is not None
    assert worker.stdout.readline() == "inserted\n"
    while worker.poll() is None:  # the first SIGINT is a request, the second an order
        worker.send_signal(how)
        time.sleep(0.3)
    worker.communicate()
    query = schema.connection.query
    slow = f'"{schema.database}"."__slow"'
    while query("SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND mode LIKE 'RowEx%'", (slow,)):
        time.sleep(0.01)  # the server notices the end of a client that it was not talking to
    assert query(f"SELECT number FROM {slow}") == [(0,)]
    items = f'"{schema.database}"."__slow__item"'
    assert query(f"SELECT DISTINCT number FROM {items}") == [(0,)]
    with start(schema, tmp_path, process_environment, "") as second:
        said: Any = second.communicate()
    assert "'success': 2" in said[0]
    assert query(f"SELECT count(*) FROM {slow}") == [(3,)]
    assert query(f"SELECT count(*) FROM {items}") == [(9,)]
