"""The one style sheet of all HTML, and the page that it comes with.

Colours are of middle lightness and backgrounds transparent, so that it reads on dark and on light, whatever
shows it; without the style sheet, which some viewers leave out, tables stay tables and keys stay bold.
"""

from typing import Final

GREEN, ORANGE, BLUE, PURPLE, PINK, TEAL, RED = (
    f"hsl({colour})"
    for colour in (
        "150 60% 38%",
        "30 75% 42%",
        "210 60% 52%",
        "275 50% 62%",
        "330 55% 55%",
        "185 60% 40%",
        "0 60% 55%",
    )
)
_LINE: Final = "hsl(0 0% 50%/.35)"
_FAINT: Final = "hsl(0 0% 50%/.09)"
_MONO: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

# Notebooks have rules for tables of their own: `tr:nth-child(n)` outweighs those that make stripes.
STYLE: Final = f"""
.djflow{{text-align:left;color:inherit;line-height:1.45;margin:.3em 0}}
.djflow pre,.djflow code{{font-family:{_MONO};font-size:.92em;background:transparent;color:inherit;
margin:.2em 0;padding:0;white-space:pre;overflow-x:auto}}
.djflow small{{opacity:.7;font-size:.88em}}
.djflow .dj-title{{margin:0 0 .3em;white-space:normal}}
.djflow .dj-note{{margin:.3em 0 0;opacity:.75;font-size:.88em}}
.djflow .dj-error{{color:{RED};opacity:1;white-space:pre-wrap}}
.djflow .dj-wide{{overflow-x:auto;max-width:100%}}
.djflow table.dj-rows{{border-collapse:collapse;border:1px solid {_LINE};margin:0;width:auto;font-size:.92em;
color:inherit;background:transparent}}
.djflow table.dj-rows tr:nth-child(n){{background:transparent}}
.djflow table.dj-rows tbody tr:nth-child(2n){{background:{_FAINT}}}
.djflow table.dj-rows tbody tr:nth-child(n):hover{{background:hsl(210 60% 52%/.14)}}
.djflow table.dj-rows th,.djflow table.dj-rows td{{padding:.25em .8em;border:0;border-left:1px solid {_LINE};
text-align:left;vertical-align:top;white-space:pre;max-width:32em;overflow:hidden;text-overflow:ellipsis;
color:inherit;background:transparent}}
.djflow table.dj-rows th{{border-bottom:1px solid {_LINE};font-weight:normal;line-height:1.25}}
.djflow table.dj-rows th small{{font-family:{_MONO}}}
.djflow table.dj-rows .dj-number{{text-align:right;font-variant-numeric:tabular-nums}}
.djflow table.dj-rows td.dj-null{{opacity:.45;font-style:italic}}
.djflow .dj-object{{color:{TEAL};font-family:{_MONO};font-size:.95em}}
.djflow .dj-key{{font-weight:bold;text-decoration:underline;text-decoration-thickness:1px;
text-underline-offset:.2em}}
.djflow .dj-name{{color:{BLUE}}}
.djflow .dj-type{{color:{PURPLE}}}
.djflow .dj-text{{color:{ORANGE}}}
.djflow .dj-arrow{{color:{PINK};font-weight:bold}}
.djflow .dj-comment{{color:hsl(0 0% 50%);font-style:italic}}
.djflow .dj-rule{{opacity:.5}}
.djflow .dj-place{{color:{PINK}}}
.djflow .dj-keyword{{color:{BLUE};font-weight:bold}}
.djflow .dj-box{{border-left:2px solid {_LINE};margin:.2em 0 .2em .4em;padding-left:.8em}}
.djflow .dj-beside{{display:flex;flex-wrap:wrap;gap:.5em 3em}}
.djflow ul{{list-style:none;margin:0;padding-left:1.1em}}
.djflow li{{margin:.1em 0}}
.djflow li code{{white-space:pre-wrap}}
.djflow .dj-node,.djflow table.dj-plain{{font-family:{_MONO};font-size:.92em}}
.djflow table.dj-plain{{border-collapse:collapse;border:0;margin:0;color:inherit;background:transparent}}
.djflow table.dj-plain tr:nth-child(n){{background:transparent}}
.djflow table.dj-plain th,.djflow table.dj-plain td{{text-align:left;padding:.05em 1em .05em 0;border:0;
color:inherit;background:transparent}}
.djflow table.dj-plain td.dj-place{{color:{PINK}}}
.djflow table.dj-plain td.dj-number{{text-align:right}}
.djflow .dj-bar{{height:.7em;background:{BLUE}}}
.djflow details{{margin:.3em 0}}
.djflow summary{{cursor:pointer}}
""".replace("\n", "")


def page(body: str) -> str:
    """The HTML with its style sheet.

    >>> page("<b>1</b>").endswith("</style><b>1</b></div>")
    True
    """
    return f"<div class='djflow'><style>{STYLE}</style>{body}</div>"
