"""Inside `make`, `self.upstream` gives the rows that the key comes from, though the key has no row yet."""

from collections.abc import Callable
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

import djflow as dj
from djflow.errors import DjflowError, MissingTableError
from djflow.tables.schema import Schema

Make = Callable[[Any, dict[str, Any]], object]


@pytest.fixture
def lab(schema: Schema) -> SimpleNamespace:
    """Sessions with blocks, and what is computed from them; each `make` calls `look`."""
    found = SimpleNamespace(schema=schema, look=lambda _table, _key: None)
    _declare_sources(schema, found)
    _declare_computed(schema, found)
    found.Subject().insert([(1, "ann"), (2, "bob"), (3, "cid")])
    found.Session().insert([(1, 1, 0.5), (1, 2, 1.5), (2, 1, 2.5)])
    found.Session.Block().insert([(1, 1, 1), (1, 1, 2), (2, 1, 1)])
    found.Method().insert([("fast",), ("slow",)])
    return found


def _declare_sources(schema: Schema, found: SimpleNamespace) -> None:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(20)
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        ---
        weight : float64
        """

        class Block(dj.Part):
            definition = """
            -> master
            block : int32
            """

    @schema
    class Method(dj.Manual):
        definition = "method : varchar(10)"

    @schema
    class Unrelated(dj.Manual):
        definition = "unrelated : int32"

    found.__dict__.update(Subject=Subject, Session=Session, Method=Method, Unrelated=Unrelated)


def _declare_computed(schema: Schema, found: SimpleNamespace) -> None:
    @schema
    class Fit(dj.Computed):
        definition = """
        -> Session.Block
        -> Method
        ---
        -> [nullable] Subject.proj(control='subject')
        """

        def make(self, key: dict[str, Any]) -> None:
            found.look(self, key)
            self.insert1({**key, "control": 3})
            found.look(self, key)

    @schema
    class Compared(dj.Computed):
        definition = """
        -> Subject.proj(one='subject')
        -> Subject.proj(other='subject')
        """

        def make(self, key: dict[str, Any]) -> None:
            found.look(self, key)
            self.insert1(key)

    found.__dict__.update(Fit=Fit, Compared=Compared)


def looked(lab: SimpleNamespace, table: Any, look: Make) -> list[Any]:
    """What `look` returns for each key, in the order of keys."""
    found: list[tuple[str, Any]] = []
    lab.look = lambda table, key: found.append((str(key), look(table, key)))
    assert table().populate()["error"] == 0
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]


def test_ancestors_come_restricted_to_the_key(lab: SimpleNamespace) -> None:
    def look(table: Any, key: dict[str, Any]) -> object:
        up = table.upstream
        assert up[lab.Session].fetch1("subject", "session") == (key["subject"], key["session"])
        assert up["Method"].fetch1("method") == key["method"]
        assert up[lab.Session.Block].fetch1("block") == key["block"]
        assert len(up[lab.Session].aggr(up["Session.Block"], n="count(block)") & "n = 1") == 1
        return float(up[f"{lab.schema.database}.Session"].fetch1("weight"))

    assert looked(lab, lab.Fit, look) == [0.5] * 8 + [2.5] * 4


def test_a_foreign_key_outside_the_primary_key_counts_once_the_row_is_there(lab: SimpleNamespace) -> None:
    def look(table: Any, key: dict[str, Any]) -> object:
        return set(table.upstream[lab.Subject].to_arrays("subject").tolist()) - {key["subject"]}

    found = looked(lab, lab.Fit, look)
    assert found == [set(), {3}] * 6


def test_several_references_to_one_ancestor_all_count(lab: SimpleNamespace) -> None:
    def look(table: Any, key: dict[str, Any]) -> object:
        return set(table.upstream[lab.Subject].to_arrays("subject").tolist()) == set(key.values())

    assert looked(lab, lab.Compared, look) == [True] * 9


def test_the_trace_is_the_same_within_a_call_and_another_in_the_next(lab: SimpleNamespace) -> None:
    seen: list[Any] = []

    def look(table: Any, _key: dict[str, Any]) -> object:
        assert table.upstream is table.upstream
        seen.append(table.upstream)
        return None

    looked(lab, lab.Fit, look)
    assert len({id(trace) for trace in seen}) == 6
    assert seen[0] is seen[1]
    assert seen[0].counts()[lab.Fit] == 1


def test_what_is_no_ancestor_is_refused_with_what_there_is(lab: SimpleNamespace) -> None:
    def look(table: Any, _key: dict[str, Any]) -> object:
        with pytest.raises(MissingTableError, match=r"unrelated' is not in this trace of .*__fit.* It has"):
            table.upstream[lab.Unrelated]
        with pytest.raises(MissingTableError, match="'Compared' is not in this trace"):
            table.upstream["Compared"]
        return lab.Unrelated in table.upstream

    assert looked(lab, lab.Fit, look) == [False] * 12


def test_outside_of_make_there_is_no_upstream(lab: SimpleNamespace) -> None:
    message = r"Fit\.upstream is for the key being made.*dj\.Diagram\.trace\(Fit & key\)"
    with pytest.raises(DjflowError, match=message):
        _ = lab.Fit().upstream

    def fail(_table: Any, _key: dict[str, Any]) -> object:
        raise RuntimeError

    lab.look = fail
    with pytest.raises(RuntimeError):
        lab.Fit().populate()
    with pytest.raises(DjflowError, match=message):
        _ = lab.Fit().upstream


def test_another_table_that_is_made_meanwhile_has_its_own(lab: SimpleNamespace) -> None:
    def look(table: Any, key: dict[str, Any]) -> object:
        if isinstance(table, lab.Compared):
            with pytest.raises(DjflowError, match=r"Fit\.upstream is for the key being made"):
                _ = lab.Fit().upstream
            return len(table.upstream[lab.Subject])
        with pytest.raises(DjflowError, match=r"Compared\.upstream is for the key being made"):
            _ = lab.Compared().upstream
        lab.Compared().populate({"one": key["subject"], "other": key["subject"]})
        return table.upstream[lab.Session].fetch1("subject")

    assert set(looked(lab, lab.Fit, look)) == {1, 2}


def test_threads_that_make_have_their_own_key(lab: SimpleNamespace) -> None:
    seen: list[bool] = []

    def look(table: Any, key: dict[str, Any]) -> None:
        seen.append(table.upstream[lab.Method].fetch1("method") == key["method"])

    lab.look = look
    threads = [Thread(target=lab.Fit().populate, args=({"method": m},)) for m in ("fast", "slow")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 12
