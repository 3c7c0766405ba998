"""What all figures share: style, lettering, and pictures of samples. `cellfeat.evaluation.figures` draws results."""

from cellfeat.figures.style import HEAD_COLOURS, HEAD_MARKERS, KINDS, WIDTHS, FigureKind, FigureWidth, save_figure

__all__ = ["HEAD_COLOURS", "HEAD_MARKERS", "KINDS", "WIDTHS", "FigureKind", "FigureWidth", "save_figure"]
