"""Notebooks as pages: what they hold, outputs included, is shown; nothing is run.

A notebook becomes Markdown, so that its text, links and code look like those of any other page. Outputs stand
in the Markdown as marks and are put in once it is HTML, which keeps Markdown from changing them.
"""

import html
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

MARK: Final = re.compile(r"<p>@@output (\d+)@@</p>")
PICTURES: Final = ("image/png", "image/jpeg")


class NotebookFile(File):
    """A notebook that is a page, and the HTML of its outputs."""

    outputs: tuple[str, ...] = ()

    def is_documentation_page(self) -> bool:
        """Pages are what mkdocs renders."""
        return True


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Each notebook is a page, and lies beside it to be downloaded."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        source = file.content_string
        page = NotebookFile(file.src_uri, None, config.site_dir, config.use_directory_urls)
        page.content_string, page.outputs = as_markdown(json.loads(source), PurePosixPath(file.src_uri).name)
        files.remove(file)
        files.append(page)
        files.append(File.generated(config, _download(file.src_uri), content=source))
    return files


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Outputs in the places of their marks."""
    del config, files
    if not isinstance(page.file, NotebookFile):
        return content
    outputs = page.file.outputs
    return MARK.sub(lambda mark: outputs[int(mark[1])], content)


def as_markdown(notebook: Mapping[str, Any], name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a notebook with marks for its outputs, and these as HTML."""
    pieces, outputs = list[str](), list[str]()
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            pieces.append(source)
            continue
        pieces.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            if sql := _sql_of(output):
                pieces.append(f"```sql\n{sql}\n```")
                continue
            pieces.append(f"@@output {len(outputs)}@@")
            outputs.append(_html_of(output))
    pieces.append(f'[This page as a notebook]({_download(name)}){{ .download download="{name}" }}')
    return "\n\n".join(pieces), tuple(outputs)


def _download(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/notebooks/{name}".removeprefix("/") if folder else f"notebooks/{name}"


def _sql_of(output: Mapping[str, Any]) -> str | None:
    text = "".join(output.get("text", ())).strip()
    return text if text.startswith("SELECT") else None


def _html_of(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _text("".join(output["text"]))
    if output["output_type"] == "error":
        return _text(f"{output['ename']}: {output['evalue']}", kind="error")
    return _displayed(output["data"])


def _displayed(data: Mapping[str, Any]) -> str:
    joined = {kind: "".join(value) for kind, value in data.items() if isinstance(value, str | list)}
    for kind in PICTURES:
        if kind in joined:
            encoded = joined[kind].replace("\n", "")
            return f'<div class="output"><img alt="Output" src="data:{kind};base64,{encoded}"></div>'
    for kind in ("text/html", "image/svg+xml"):
        if kind in joined:
            return f'<div class="output">{joined[kind]}</div>'
    return _text(joined["text/plain"])


def _text(text: str, kind: str = "text") -> str:
    return f'<div class="output"><pre class="{kind}">{html.escape(text)}</pre></div>'
