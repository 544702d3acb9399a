"""Programs that fill the same tables at once share the keys among them, also when one of them is killed."""

import random
from pathlib import Path

import pytest
from tests.pipeline.chaos.pipeline import MASTERS
from tests.pipeline.chaos.rig import ROOT, Rig
from tests.pipeline.chaos.servers import wait_for

pytest.importorskip("distributed")

KEYS = 24


def test_programs_with_other_executors_fill_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    with Rig(tmp_path, random.Random(3), every=8) as rig:  # noqa: S311 - moments, not secrets
        rig.ask("fill", str(KEYS))
        orders = [("serial",), ("threads", "2"), ("processes", "2"), ("threads", "1")]
        programs = [rig.program(f"client-{n}", "client", "run", *order) for n, order in enumerate(orders)]
        for program in programs:
            program.start()
        wait_for(lambda: rig.calls() > KEYS)
        programs[-1].kill()
        ends = [program.wait() for program in programs[:-1]]
        account = rig.account(KEYS)
    assert ends == [0, 0, 0], [program.said()[-2000:] for program in programs]
    assert account.problems() == {}
    assert account.keys == {master.__name__: KEYS for master in MASTERS}
