"""Handles of the driver are shared, and outlive neither the need for them nor harm who still reads."""

import multiprocessing
from contextlib import closing

import pytest
from adbc_driver_manager import OperationalError
from psycopg.conninfo import make_conninfo

from djflow.backend import driver


def _named(server_url: str, name: str) -> str:
    return make_conninfo(server_url, application_name=name)


def test_connections_of_one_server_share_a_handle(server_url: str) -> None:
    with closing(driver.connect(server_url)) as one, closing(driver.connect(server_url)) as other:
        assert one._db is other._db


def test_a_handle_that_gives_way_serves_whom_it_served(server_url: str) -> None:
    with closing(driver.connect(_named(server_url, "first"))) as first:
        for number in range(20):
            driver.connect(_named(server_url, f"other {number}")).close()
        with first.cursor() as cursor:
            cursor.execute("SELECT current_setting('application_name')")
            assert cursor.fetchall() == [("first",)]
        with closing(driver.connect(_named(server_url, "first"))) as anew:
            assert anew._db is not first._db


def test_a_server_that_cannot_be_reached_is_tried_again() -> None:
    nowhere = make_conninfo("", host="127.0.0.1", port=1)
    for _ in range(2):
        with pytest.raises(OperationalError):
            driver.connect(nowhere)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no forks here")
def test_a_child_forked_while_a_handle_opens_opens_its_own(server_url: str) -> None:
    with driver._lock:
        child = multiprocessing.get_context("fork").Process(target=_connected, args=(server_url,))
        child.start()
    child.join(30)
    assert child.exitcode == 0


def _connected(server_url: str) -> None:
    driver.connect(server_url).close()
