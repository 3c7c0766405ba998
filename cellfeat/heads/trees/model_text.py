"""Check the text of a LightGBM model before LightGBM reads it.

LightGBM does not check what it reads: a missing number aborts the process, and a wrong index makes it read outside its
memory. Every tree is therefore parsed here, and the text for LightGBM is built from the checked parts.
"""

import re

from cellfeat.errors import HeadError

_INTEGER = re.compile(r"-?\d{1,10}", re.ASCII)
_NUMBER = re.compile(r"-?(\d{1,25}(\.\d{1,25})?(e[-+]?\d{1,3})?|inf|nan)", re.ASCII)
_RANGE = re.compile(rf"none|\[{_NUMBER.pattern}:{_NUMBER.pattern}\]", re.ASCII)
_END = "\nend of trees\n"
_TREE = "\nTree="
# Fields with one value per split, before and after the fields with one value per leaf.
_OF_SPLITS = {
    "split_feature": _INTEGER,
    "split_gain": _NUMBER,
    "threshold": _NUMBER,
    "decision_type": _INTEGER,
    "left_child": _INTEGER,
    "right_child": _INTEGER,
}
_OF_SPLITS_TOO = {"internal_value": _NUMBER, "internal_weight": _NUMBER, "internal_count": _INTEGER}


def checked_trees(model: str, n_columns: int, n_classes: int) -> str:
    """Return the checked trees of a multiclass model as text for LightGBM, without the training parameters.

    Parameters
    ----------
    model
        Result of ``Booster.model_to_string``.
    n_columns, n_classes
        Expected numbers of columns and classes.

    Raises
    ------
    HeadError
        If the text is not such a model, or not every path from the root of a tree ends in a leaf.
    """
    try:
        text, end, _ = model.partition(_END)
        head, *trees = text.split(_TREE)
        if not end or not trees or len(trees) % n_classes:
            raise ValueError(f"{len(trees)} trees of {n_classes} classes")
        header = _header(head, n_columns, n_classes)
        blocks = [_tree(number, tree, n_columns) for number, tree in enumerate(trees)]
    except (ValueError, KeyError) as error:
        raise HeadError(f"the LightGBM model is damaged ({error}); fit and save the head again") from None
    # Sizes are in bytes, which the number of characters is: the patterns admit ASCII only.
    sizes = " ".join(str(len(block)) for block in blocks)
    return f"{header}tree_sizes={sizes}\n\n{''.join(blocks)}end of trees\n"


def _header(text: str, n_columns: int, n_classes: int) -> str:
    fields = _fields(text)
    expected = {
        "version": "v4",
        "num_class": str(n_classes),
        "num_tree_per_iteration": str(n_classes),
        "label_index": "0",
        "max_feature_idx": str(n_columns - 1),
        "objective": f"multiclass num_class:{n_classes}",
        "feature_names": " ".join(f"Column_{column}" for column in range(n_columns)),
    }
    for name, value in expected.items():
        if fields[name] != value:
            raise ValueError(f"{name}: expected {value[:80]!r}, got {fields[name][:80]!r}")
    ranges = _values(fields, "feature_infos", _RANGE, n_columns)
    return "tree\n" + "".join(f"{name}={value}\n" for name, value in expected.items()) + f"feature_infos={ranges}\n"


def _fields(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in text.split("\n"))}


def _values(fields: dict[str, str], name: str, kind: re.Pattern[str], n_values: int) -> str:
    values = fields[name].split(" ") if n_values else []
    if len(values) != n_values or not all(map(kind.fullmatch, values)):
        raise ValueError(f"{name}: expected {n_values} numbers, got {fields[name][:80]!r}")
    return " ".join(values)


def _tree(number: int, text: str, n_columns: int) -> str:
    fields = _fields(text)
    n_leaves = int(_values(fields, "num_leaves", _INTEGER, 1))
    if n_leaves < 1 or (fields["num_cat"], fields["is_linear"]) != ("0", "0"):
        raise ValueError(f"tree {number}: expected leaves, and neither categories nor linear leaves")
    parts = {"num_leaves": str(n_leaves), "num_cat": "0"}
    parts |= {name: _values(fields, name, kind, n_leaves - 1) for name, kind in _OF_SPLITS.items()}
    # LightGBM omits the weight of a tree without splits.
    n_weights = 0 if n_leaves == 1 and not fields["leaf_weight"] else n_leaves
    parts |= {"leaf_value": _values(fields, "leaf_value", _NUMBER, n_leaves)}
    parts |= {"leaf_weight": _values(fields, "leaf_weight", _NUMBER, n_weights)}
    parts |= {"leaf_count": _values(fields, "leaf_count", _INTEGER, n_leaves)}
    parts |= {name: _values(fields, name, kind, n_leaves - 1) for name, kind in _OF_SPLITS_TOO.items()}
    parts |= {"is_linear": "0", "shrinkage": _values(fields, "shrinkage", _NUMBER, 1)}
    _check_walk(number, parts, n_leaves, n_columns)
    return f"Tree={number}\n" + "".join(f"{name}={value}\n" for name, value in parts.items()) + "\n\n"


def _check_walk(number: int, parts: dict[str, str], n_leaves: int, n_columns: int) -> None:
    """Check that every split uses an existing column, and that every later split and leaf has exactly one parent."""
    columns, kinds, left, right = (
        [int(value) for value in parts[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    # Bit 0 of a decision type marks a categorical split, which is never trained here. The other bits are about missing
    # values.
    if any(not 0 <= column < n_columns for column in columns) or any(not 0 <= kind < 16 or kind % 2 for kind in kinds):
        raise ValueError(f"tree {number}: a split uses a column that does not exist")
    # Splits are numbered from 0, leaves are -1, -2 and so on. Split 0 is the root and has no parent.
    if sorted(left + right) != [child for child in range(-n_leaves, n_leaves - 1) if child and n_leaves > 1]:
        raise ValueError(f"tree {number}: not every leaf and split has one parent")
    if any(0 <= child <= split for children in (left, right) for split, child in enumerate(children)):
        raise ValueError(f"tree {number}: a split leads back to an earlier one")
