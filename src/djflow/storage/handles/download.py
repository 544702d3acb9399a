"""Copies of objects on this machine: whole or not at all, never over something else."""

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from djflow.errors import MissingExternalFile, StorageError
from djflow.storage.parallel import map_threads
from djflow.storage.paths import check_path
from djflow.storage.progress import Done, watched
from djflow.storage.store import Store

_PIECE = 1 << 22


def download(store: Store, path: str, destination: Path) -> Path:
    """Copy a file or a tree to `destination`, or into it if it is a folder; returns where the copy lies.

    A copy that is there already is kept.

    Raises `MissingExternalFile` for an absent object and `StorageError` where something else has its name.
    """
    target = destination / PurePosixPath(path).name if destination.is_dir() else destination
    files = sorted(file.path for file in store.list(path))
    if not files:
        raise MissingExternalFile(f"{path!r} is not in store {store.name!r}.").suggest(
            "Restore it from a backup, or delete the row."
        )
    if target.exists():
        _check_same(store, path, files, target)
        return target
    with watched(store, f"download {path}", len(files)) as (source, done):
        if files == [path]:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.get_file(path, target)
        else:
            _download_tree(source, path, files, target, done)
    return target


def _download_tree(store: Store, path: str, files: Sequence[str], target: Path, done: Done) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")

    def fetch(file: str) -> None:
        copy = temporary / check_path(file.removeprefix(f"{path}/"))
        copy.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(file, copy)
        done()

    try:
        map_threads(fetch, files)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _check_same(store: Store, path: str, files: Sequence[str], target: Path) -> None:
    if files == [path]:
        same = _is_same(store, path, target)
    else:
        here = {file.relative_to(target).as_posix() for file in target.rglob("*") if not file.is_dir()}
        names = {file.removeprefix(f"{path}/") for file in files}
        same = here == names and all(_is_same(store, f"{path}/{name}", target / name) for name in names)
    if not same:
        raise StorageError(f"{str(target)!r} is there already and is not a copy of {path!r}.").suggest(
            "Name another destination, or remove it first."
        )


def _is_same(store: Store, path: str, file: Path) -> bool:
    if not file.is_file() or file.stat().st_size != store.size(path):
        return False
    with file.open("rb") as ours, store.open(path) as theirs:
        while piece := theirs.read(_PIECE):
            if ours.read(len(piece)) != piece:
                return False
    return True
