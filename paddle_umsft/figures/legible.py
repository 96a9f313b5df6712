"""A figure that draws no boxes in place of letters. Brings matplotlib along: imported when a figure is made."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

from paddle_umsft.figures.fonts import with_letters_at_hand


class LegibleFigure(Figure):
    """A figure whose texts lose the letters that no font here has, however it comes to be drawn."""

    def draw(self, renderer: Any) -> None:
        """Draw; before matplotlib measures a text, what it could draw as a box only is taken out of it."""
        for text in self.findobj(Text):
            written = text.get_text()
            drawn = with_letters_at_hand(written)
            if drawn != written:
                text.set_text(drawn)
        super().draw(renderer)
