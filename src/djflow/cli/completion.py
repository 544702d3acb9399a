"""`djflow completion`: scripts by which shells complete command lines."""

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from djflow.cli.arguments import add_command

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands

_BASH: Final = """\
# Completes djflow in bash: eval "$(djflow completion bash)"
_djflow() {
    local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" path="" word words=""
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $word" in
            %(paths)s) path="$path $word" ;;
        esac
    done
    case "$path $before" in
%(choices)s
        *) case "$path" in
%(words)s
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _djflow djflow
"""
_ZSH: Final = """\
# Completes djflow in zsh: eval "$(djflow completion zsh)"
autoload -U +X bashcompinit && bashcompinit
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What may follow a command: `commands` of its own with their help, `options`, `choices` of options."""

    path: tuple[str, ...]
    commands: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    parser = add_command(
        commands,
        "completion",
        _completion,
        "print a script that completes command lines in a shell",
        examples=(
            'eval "$(djflow completion bash)"      # in ~/.bashrc',
            'eval "$(djflow completion zsh)"       # in ~/.zshrc, behind compinit',
            "djflow completion fish > ~/.config/fish/completions/djflow.fish",
        ),
    )
    parser.add_argument("shell", choices=tuple(_SCRIPTS), help="for which shell")


def words_of(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[Words]:
    """What may follow each command of a parser, those inside of others included."""
    commands: dict[str, str] = {}
    below: list[tuple[argparse.ArgumentParser, tuple[str, ...]]] = []
    options: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            commands |= {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            below += [(each, (*path, name)) for name, each in action.choices.items()]
        elif action.option_strings:
            options |= dict.fromkeys(action.option_strings, action.help or "")
            choices |= dict.fromkeys(action.option_strings, _choices(action)) if action.choices else {}
        elif action.choices:
            commands |= dict.fromkeys(_choices(action), action.help or "")
    yield Words(path, commands, options, choices)
    for each, deeper in below:
        yield from words_of(each, deeper)


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(map(str, action.choices or ()))


def _completion(options: argparse.Namespace) -> None:
    from djflow.cli.command_line import build_parser

    print(_SCRIPTS[options.shell](list(words_of(build_parser()))), end="")


def bash(known: list[Words]) -> str:
    """The script for bash."""
    paths = "|".join(f'"{_path(words.path)}"' for words in known if words.path)
    choices = [
        f'        "{_path(words.path)} {option}") words="{" ".join(values)}" ;;'
        for words in known
        for option, values in words.choices.items()
    ]
    lines = [
        f'            "{_path(words.path)}") words="{" ".join((*words.commands, *words.options))}" ;;'
        for words in known
    ]
    return _BASH % {"paths": paths, "choices": "\n".join(choices), "words": "\n".join(lines)}


def zsh(known: list[Words]) -> str:
    """The script for zsh, which understands that of bash."""
    return _ZSH + bash(known)


def fish(known: list[Words]) -> str:
    """The script for fish, with the help texts."""
    return "".join(f"{line}\n" for words in known for line in _fish_lines(words))


def _fish_lines(words: Words) -> Iterator[str]:
    seen = [f"__fish_seen_subcommand_from {name}" for name in words.path]
    if words.commands and words.path:
        seen.append(f"not __fish_seen_subcommand_from {' '.join(words.commands)}")
    condition = f"-n '{'; and '.join(seen)}'" if seen else "-n __fish_use_subcommand"
    for name, text in words.commands.items():
        yield f"complete -c djflow {condition} -f -a {name} -d '{_plain(text)}'"
    for option, text in words.options.items():
        flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
        values = f" -x -a '{' '.join(words.choices[option])}'" if option in words.choices else ""
        yield f"complete -c djflow {condition} {flag}{values} -d '{_plain(text)}'"


def _path(path: tuple[str, ...]) -> str:
    return "".join(f" {name}" for name in path)


def _plain(text: str) -> str:
    """A help text between single quotes."""
    return re.sub(r"(['\\])", r"\\\1", text % {"prog": "djflow"} if "%(" in text else text)


_SCRIPTS: Final[dict[str, Any]] = {"bash": bash, "zsh": zsh, "fish": fish}
