import json
from collections.abc import Callable
from pathlib import Path

import pytest

from djflow.configuration import Settings, load

Loader = Callable[..., Settings]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def write_json(project: Path) -> Callable[[object], Path]:
    def write(document: object) -> Path:
        path = project / "datajoint.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_secret(project: Path) -> Callable[[str, str], None]:
    def write(name: str, text: str) -> None:
        folder = project / ".secrets"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def load_project(project: Path, tmp_path: Path) -> Loader:
    def load_here(**environ: str) -> Settings:
        return load(environ, project, system_secrets=tmp_path / "system")

    return load_here
