"""How the stores of the benchmarks are called."""

from typing import Final

FOLDER: Final = "folder"
BUCKET: Final = "bucket"
