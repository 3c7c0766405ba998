"""What a shell completes after options that take a name; click asks when Tab is pressed.

Names come from the tables, which hold text alone: neither torch nor scikit-learn is imported.
"""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


def complete_head(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of heads that begin with what was typed.

    Parameters
    ----------
    _ctx, _param
        Click's context and the option; unused.
    incomplete
        What was typed so far.
    """
    from cellfeat.heads.registry import HEADS

    return _beginning_with(incomplete, HEADS)


def complete_heads(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of heads after those that are typed already, separated by commas.

    Parameters
    ----------
    ctx, param
        As for `complete_head`.
    incomplete
        What was typed so far, such as ``mlp,log``.
    """
    typed, comma, last = incomplete.rpartition(",")
    return [f"{typed}{comma}{name}" for name in complete_head(ctx, param, last) if name not in typed.split(",")]


def complete_backbone(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of backbones that begin with what was typed; after ``+``, another one to stand beside those before.

    Parameters
    ----------
    _ctx, _param, incomplete
        As for `complete_head`.
    """
    from cellfeat.backbones.registry import BACKBONES

    typed, plus, last = incomplete.rpartition("+")
    return [f"{typed}{plus}{name}" for name in _beginning_with(last, BACKBONES) if name not in typed.split("+")]


def complete_backbone_or_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of backbones, or files where no name begins with what was typed.

    Parameters
    ----------
    ctx, param, incomplete
        As for `complete_head`.
    """
    names = complete_backbone(ctx, param, incomplete) if incomplete else []
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def complete_export(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Formats of export that begin with what was typed.

    Parameters
    ----------
    _ctx, _param, incomplete
        As for `complete_head`.
    """
    from cellfeat.interop.exports.registry import EXPORTS

    return _beginning_with(incomplete, EXPORTS)


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
