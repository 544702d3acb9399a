"""What a diagram looks like in notebooks, programs and files."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djflow.diagram.drawing.dot import dot
from djflow.diagram.drawing.model import Drawing
from djflow.diagram.drawing.plan import plan_drawing
from djflow.diagram.drawing.render import as_html, as_text, rendered
from djflow.diagram.drawing.svg import Svg
from djflow.diagram.formats import Format, format_of
from djflow.diagram.mermaid import mermaid
from djflow.diagram.state import State
from djflow.diagram.text import draw
from djflow.diagram.view import View
from djflow.errors import DjflowError, DrawingError
from djflow.model.names import TableName
from djflow.storage.files import replacing

if TYPE_CHECKING:
    import numpy as np


class Pictures:
    """The pictures of a diagram, in the direction that `dj.config.display.diagram_direction` says."""

    __slots__ = ("_view",)
    _view: View

    def _states(self) -> Mapping[TableName, State]:
        """What is told of tables besides their names."""
        return self._view.states

    def __str__(self) -> str:
        try:
            return self._text(self._states())
        except DjflowError as error:  # its tables have gone, or its server
            return f"({error})"

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """For notebooks: the picture, or text where it cannot be made."""
        del include, exclude
        try:
            states = self._states()  # once for all: it may have to count
            text = self._text(states)
        except DjflowError as error:
            text = f"({error})"
            return {"text/plain": text, "text/html": as_text(text)}
        try:
            picture = rendered(self._drawing(states))
        except DrawingError:
            return {"text/plain": text, "text/html": as_text(text)}
        return {"text/plain": text, "text/html": as_html(picture), "image/svg+xml": picture.data}

    def _repr_svg_(self) -> str | None:
        return self._repr_mimebundle_().get("image/svg+xml")

    def _repr_html_(self) -> str:
        return self._repr_mimebundle_()["text/html"]

    def _text(self, states: Mapping[TableName, State]) -> str:
        notes = {name: " · ".join(state.words) for name, state in states.items()}
        return draw(self._view.picture(), notes)

    def _drawing(self, states: Mapping[TableName, State]) -> Drawing:
        seen = self._view
        gauges = {name: state.gauge for name, state in states.items()}
        direction = seen.database.settings.display.diagram_direction
        return plan_drawing(seen.picture(), seen.catalog, direction, gauges)

    def make_svg(self) -> Svg:
        """The diagram as a picture: the text of an SVG file, which notebooks show as the picture.

        It says which table is what when the pointer rests on it.
        Raises `DrawingError` where Graphviz cannot be run.
        """
        return rendered(self._drawing(self._states()))

    def make_png(self) -> BytesIO:
        """The picture in pixels, as a file in memory.

        Raises `DrawingError` where Graphviz cannot be run, or no font is found.
        """
        from djflow.diagram.drawing.png import png

        return BytesIO(png(self.make_svg()))

    def make_image(self) -> "np.ndarray[Any, Any]":
        """The picture as an array: rows, columns, and red, green, blue and alpha from 0 to 1.

        Raises `DrawingError` as `make_png`, and where matplotlib is missing.
        """
        from djflow.diagram.drawing.image import pixels

        return pixels(self.make_png().getvalue())

    def draw(self) -> None:
        """Show the picture with matplotlib. Raises `DrawingError` as `make_image`."""
        from djflow.diagram.drawing.image import show

        show(self.make_png().getvalue())

    def make_dot(self) -> str:
        """The diagram in the language of Graphviz, for its programs and others that read it."""
        return dot(self._drawing(self._states()))

    def make_mermaid(self) -> str:
        """The diagram as a flowchart in Mermaid's language."""
        return mermaid(self._view.picture(), self._view.database.settings.display.diagram_direction)

    def save(self, filename: str | Path, format: str | None = None) -> None:  # noqa: A002 - documented
        """Write the diagram to a file.

        `format` is `"svg"`, `"png"`, `"dot"`, `"mermaid"` or `"text"`, by default what the name tells:
        `.svg`, `.png`, `.dot` or `.gv`, `.mmd` or `.mermaid`, `.txt`. Raises `InvalidArgumentError` for
        another one, `DrawingError` as `make_svg` and `make_png`; then nothing is written.
        """
        path = Path(filename)
        content = self._content(format_of(path, format))
        with replacing(path) as file:
            file.write(content)

    def _content(self, form: Format) -> bytes:
        match form:
            case Format.PNG:
                return self.make_png().getvalue()
            case Format.SVG:
                return self.make_svg().encode()
            case Format.DOT:
                return self.make_dot().encode()
            case Format.MERMAID:
                return f"{self.make_mermaid()}\n".encode()
            case Format.TEXT:
                return f"{self._text(self._states())}\n".encode()
