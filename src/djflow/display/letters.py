"""Texts made safe for one line of a screen, and how wide they are there."""

from unicodedata import category, east_asian_width

ELLIPSIS = "…"
_JOINERS = "\u200c\u200d"  # of Persian and Indian scripts, which take no room


def one_line(text: str) -> str:
    r"""The text with what a screen would act on, such as line ends and escape sequences, written out.

    >>> one_line("two\nlines, \x1b[31mred\x1b[0m, é")
    'two\\nlines, \\x1b[31mred\\x1b[0m, é'
    """
    if text.isprintable():
        return text
    return "".join(each if _is_shown(each) else _escaped(each) for each in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS or category(letter) == "Zs"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def width(text: str) -> int:
    r"""How many columns of a terminal a text takes.

    >>> width("abc"), width("猫"), width("e\u0301")
    (3, 2, 1)
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(letter: str) -> int:
    if category(letter) in ("Mn", "Me") or letter in _JOINERS:
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def cut(text: str, most: int) -> str:
    """The text if it is no wider than `most` columns, else its beginning.

    >>> cut("twelve cats", 8), cut("猫猫猫", 5)
    ('twelve …', '猫猫…')
    """
    if width(text) <= most:
        return text
    taken = 0
    for position, letter in enumerate(text):
        taken += _width(letter)
        if taken > most - 1:
            return text[:position] + ELLIPSIS
    return text
