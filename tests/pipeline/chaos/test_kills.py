"""Whatever is killed while a pipeline is filled: in the end each key was made once, and nothing is left over.

`DJFLOW_TEST_CHAOS` sets how many keys each table has; then kills are many, at moments of each run's own.
"""

import os
import random
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from tests.pipeline.chaos.pipeline import MASTERS
from tests.pipeline.chaos.rig import KINDS, ROOT, Rig, chaos, strikes

pytest.importorskip("distributed")

IS_HUNT: Final = "DJFLOW_TEST_CHAOS" in os.environ
KEYS: Final = int(os.environ.get("DJFLOW_TEST_CHAOS", "36"))
KILLS: Final = max(1, KEYS // 250)  # of each kind
EVERY: Final = 1 if IS_HUNT else 5
SEED: Final = random.SystemRandom().randrange(10**6) if IS_HUNT else 7
PATIENCE: Final = 120.0 + 1.5 * KEYS  # seconds


@pytest.mark.timeout(PATIENCE + 60)
def test_every_key_is_made_once_whatever_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    chance, begun = random.Random(SEED), time.monotonic()  # noqa: S311 - moments, not secrets
    with Rig(tmp_path, chance, EVERY) as rig:
        rig.ask("fill", str(KEYS))
        planned = strikes(KINDS * KILLS, len(MASTERS) * KEYS, chance)
        client = chaos(rig, planned, lambda: time.monotonic() - begun < PATIENCE)
        account = rig.account(KEYS)
    told = [f"seed {SEED}, {dict(rig.struck)}, {account.attempts}", *rig.history, client.said()[-4000:]]
    sys.stdout.write("\n".join(told))
    assert account.problems() == {}
    assert account.keys == {master.__name__: KEYS for master in MASTERS}
    assert rig.struck == dict.fromkeys(KINDS, KILLS)
    assert all(account.attempts[name] >= KEYS for name in account.keys)
