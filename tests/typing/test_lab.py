"""What type checkers are told of user code is what happens: the module that they check runs."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import djflow as dj
from djflow.relation.database import Database


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location("typed_lab", Path(__file__).with_name("lab.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "typed_lab", module)
    spec.loader.exec_module(module)
    return module


def test_code_that_type_checks_runs(lab: ModuleType, database: Database, schema_name: str) -> None:
    lab.schema.activate(schema_name, connection=database)
    lab.enter()
    assert len(list(lab.ask())) == 20
    lab.compute()
    assert lab.Trace.progress() == (0, 2)
    assert lab.Slow().to_dicts() == [{"subject": 2, "total": 750.0}]
    for query in (lab.Subject & "subject = 1", lab.Subject.restrict("true"), lab.Subject() << lab.Subject):
        assert isinstance(query, lab.Subject)
    assert isinstance(dj.Diagram(lab.schema), dj.Diagram)
