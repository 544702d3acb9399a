"""Every command can be completed, and is on the page about commands."""

import re
import subprocess
from pathlib import Path

import pytest

from djflow.cli.command_line import build_parser, main
from djflow.cli.completion import Words, bash, fish, words_of, zsh

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
KNOWN = list(words_of(build_parser()))


def completed(*words: str) -> set[str]:
    script = f"""{bash(KNOWN)}
COMP_WORDS=({" ".join(f'"{word}"' for word in words)}); COMP_CWORD={len(words) - 1}; _djflow
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_bash_completes_commands_their_actions_options_and_choices() -> None:
    assert completed("djflow", "sch") == {"schema"}
    assert completed("djflow", "jobs", "") >= {"ls", "errors", "retry", "ignore"}
    assert completed("djflow", "query", "Session", "--o") == {"--output", "--order-by"}
    assert completed("djflow", "query", "--to", "") == {"csv", "json", "jsonl", "parquet"}
    assert completed("djflow", "completion", "z") == {"zsh"}


def test_scripts_for_all_shells_know_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for shell, script in (("bash", bash), ("zsh", zsh), ("fish", fish)):
        assert main(["completion", shell]) == 0
        printed = capsys.readouterr().out
        assert printed == script(KNOWN)
        for words in KNOWN:
            assert all(name in printed for name in words.commands)


@pytest.mark.parametrize(
    "words", [words for words in KNOWN if words.path], ids=lambda words: " ".join(words.path)
)
def test_the_page_about_commands_tells_of_each_with_all_its_options(words: Words) -> None:
    sections = re.split(r"^##+ ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    [section] = [section for section in sections if section.startswith(f"`djflow {words.path[0]}`")]
    assert f"djflow {' '.join(words.path)}" in section
    for option in words.options:
        if option.startswith("--") and option != "--help":
            assert f"`{option}" in section or f" {option}" in section, option
