"""Figures of a comparison."""

from cellfeat.evaluation.figures.confusion import draw_confusion
from cellfeat.evaluation.figures.curves import draw_curves
from cellfeat.evaluation.figures.recalls import draw_recalls
from cellfeat.evaluation.figures.reliability import draw_reliability
from cellfeat.evaluation.figures.style import HEAD_COLOURS, HEAD_MARKERS, KINDS, FigureKind, save_figure

__all__ = [
    "HEAD_COLOURS",
    "HEAD_MARKERS",
    "KINDS",
    "FigureKind",
    "draw_confusion",
    "draw_curves",
    "draw_recalls",
    "draw_reliability",
    "save_figure",
]
