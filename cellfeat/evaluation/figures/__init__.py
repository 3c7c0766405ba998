"""Figures of heads: comparison, confusion, recalls, reliability, learning curves."""

from cellfeat.evaluation.figures.confusion import draw_confusion
from cellfeat.evaluation.figures.curves import draw_curves
from cellfeat.evaluation.figures.heads import draw_heads
from cellfeat.evaluation.figures.recalls import draw_recalls
from cellfeat.evaluation.figures.reliability import draw_reliability

__all__ = ["draw_confusion", "draw_curves", "draw_heads", "draw_recalls", "draw_reliability"]
