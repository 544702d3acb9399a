"""A program of a scientist: `fill NUMBER`, `run EXECUTOR [WORKERS]`, `account NUMBER`."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tests.pipeline.chaos import pipeline

import djflow as dj


def main(order: str, *arguments: str) -> None:
    """Do what is said."""
    match order:
        case "fill":
            pipeline.Session().insert({"session": number} for number in range(int(arguments[0])))
            pipeline.schema.create()
            sys.stdout.write("filled\n")
        case "run":
            workers = int(arguments[1]) if len(arguments) > 1 else None
            told = dj.Flow(pipeline.schema).populate(
                executor=arguments[0], workers=workers, display_progress=False
            )
            sys.stdout.write(f"{told}\n")
        case "account":
            from tests.pipeline.chaos.account import account

            sys.stdout.write(
                json.dumps(asdict(account(int(arguments[0]), Path(os.environ[pipeline.LOG])))) + "\n"
            )
