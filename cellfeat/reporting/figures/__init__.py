"""Figures of a comparison."""

from cellfeat.reporting.figures.confusion import draw_confusion
from cellfeat.reporting.figures.curves import draw_curves
from cellfeat.reporting.figures.recalls import draw_recalls
from cellfeat.reporting.figures.reliability import draw_reliability
from cellfeat.reporting.figures.style import HEAD_COLOURS, HEAD_MARKERS, save_figure

__all__ = [
    "HEAD_COLOURS",
    "HEAD_MARKERS",
    "draw_confusion",
    "draw_curves",
    "draw_recalls",
    "draw_reliability",
    "save_figure",
]
