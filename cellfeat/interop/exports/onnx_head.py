"""A saved head as an ONNX graph: scaling, layers, softmax, mean over views, temperature.

Computed in float64, as by the head itself: in float32, a mean that is much larger than the deviation of its column
would be rounded to a shift.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import ModelProto

from cellfeat.errors import HeadError
from cellfeat.heads.linear_models.logreg import LogisticRegressionHead
from cellfeat.heads.neural_networks.linear_relu import NORM_EPSILON, LinearReLUHead
from cellfeat.heads.neural_networks.mlp import MLPHead
from cellfeat.heads.preprocessing.scaling import CLIP, RobustScaling
from cellfeat.heads.preprocessing.transforms import FeatureTransform
from cellfeat.heads.registry import HEADS
from cellfeat.heads.saved.bundle import Bundle
from cellfeat.interop.exports.onnx_graph import Graph, Shape, integer_values, single_values
from cellfeat.statistics.temperature import VOTELESS

INPUT, PROBABILITIES, LABEL = "embeddings", "probabilities", "label"


def _mlp(graph: Graph, head: Any, X: str) -> str:
    values = _transformed(graph, head.transform_, X)
    *hidden, last = head.layers_
    for weight, bias in hidden:
        values = graph.add("Relu", graph.linear(values, weight, bias))
    return graph.linear(values, *last)


def _logreg(graph: Graph, head: Any, X: str) -> str:
    return graph.linear(_transformed(graph, head.transform_, X), head.coef_, head.intercept_)


def _linear_relu(graph: Graph, head: Any, X: str) -> str:
    n_groups, n_columns = head._groups(), head.n_features_in_
    groups = graph.add("Reshape", graph.double(X), graph.constant([-1, n_groups, n_columns // n_groups]))
    centred = graph.add("Sub", groups, graph.reduce("ReduceMean", groups, 2))
    variance = graph.reduce("ReduceMean", graph.add("Mul", centred, centred), 2)
    deviation = graph.add("Sqrt", graph.add("Add", variance, graph.constant(np.float64(NORM_EPSILON))))
    normalised = graph.add("Reshape", graph.add("Div", centred, deviation), graph.constant([-1, n_columns]))
    scaled = graph.add("Mul", normalised, graph.constant(np.asarray(head.norm_weight_, np.float64)))
    shifted = graph.add("Add", scaled, graph.constant(np.asarray(head.norm_bias_, np.float64)))
    return graph.add("Relu", graph.linear(shifted, head.weight_, head.bias_))


LOGITS: dict[type, Callable[[Graph, Any, str], str]] = {
    MLPHead: _mlp,
    LogisticRegressionHead: _logreg,
    LinearReLUHead: _linear_relu,
}
"""What adds the logits of a head to a graph, given the name of its input of shape ``(n_rows, embedding_dim)``."""


def head_model(bundle: Bundle, metadata: dict[str, str]) -> ModelProto:
    """Make a model of a saved head: embeddings to probabilities and the number of the most probable class.

    The input ``embeddings`` is float32 of shape ``(n_samples, embedding_dim)`` for a head that was fitted on one view,
    otherwise ``(n_samples, n_views, embedding_dim)`` with any number of views. The outputs are ``probabilities``,
    float32 of shape ``(n_samples, n_classes)`` in the order of `Bundle.classes`, and ``label``, int64 of shape
    ``(n_samples,)``.

    Parameters
    ----------
    bundle
        The saved head.
    metadata
        Texts that the model keeps by name.

    Raises
    ------
    HeadError
        If the head is more than matrix algebra.
    """
    if bundle.standards is not None:
        raise HeadError(
            f"{bundle.head_name}: standardises new samples within plates, by medians of these samples, which no graph "
            "of single samples can do; fit a head without --standardise"
        )
    logits_of = LOGITS.get(type(bundle.head))
    if logits_of is None:
        known = [name for name, entry in HEADS.items() if _class_name(entry.build) in {one.__name__ for one in LOGITS}]
        raise HeadError(
            f"{bundle.head_name}: ONNX is written of heads that are matrix algebra ({', '.join(known)}), and "
            f"{bundle.head_name} is not (trees, neighbours and heads of other packages have no such form); fit one of "
            "these"
        )
    graph = Graph()
    dim, has_views = bundle.embedding_dim, bundle.n_views > 1
    shape: Shape = ["n_samples", "n_views", dim] if has_views else ["n_samples", dim]
    is_own = HEADS[bundle.head_name].views == "own"
    X = INPUT if bundle.scaling is None else _scaled(graph, bundle.scaling, INPUT)
    if has_views and is_own:
        X = graph.add("Reshape", X, graph.constant([-1, dim]))
    elif has_views:
        X = graph.reduce("ReduceMean", X, 1, keeps_axis=False)
    probabilities = graph.add("Softmax", logits_of(graph, bundle.head, X), axis=1)
    if has_views and is_own:
        probabilities = _mean_over_views(graph, probabilities, len(bundle.head.classes_))
    tempered = _in_order_of_classes(graph, bundle, _tempered(graph, bundle, probabilities))
    graph.rename(graph.single(tempered), PROBABILITIES)
    # Before the temperature, which may round two probabilities to the same number.
    ordered = _in_order_of_classes(graph, bundle, probabilities)
    graph.rename(graph.add("ArgMax", ordered, axis=1, keepdims=0), LABEL)
    outputs = [
        single_values(PROBABILITIES, ["n_samples", len(bundle.classes)]), integer_values(LABEL, ["n_samples"]),
    ]  # fmt: skip
    return graph.model([single_values(INPUT, shape)], outputs, metadata)


def _class_name(build: str) -> str:
    return build.rpartition(":")[2]


def _scaled(graph: Graph, scaling: RobustScaling, X: str) -> str:
    """The steps of `RobustScaling.__call__`."""
    centred = graph.add("Sub", graph.double(X), graph.constant(scaling.median))
    z = graph.add("Mul", centred, graph.constant(1 / scaling.scale))
    shrunk = graph.add("Div", z, graph.constant(np.float64(CLIP)))
    length = graph.add("Sqrt", graph.add("Add", graph.constant(np.float64(1)), graph.add("Mul", shrunk, shrunk)))
    clipped = graph.add("Div", z, length)
    known = graph.add("Where", graph.add("IsNaN", clipped), graph.constant(np.float64(0)), clipped)
    return graph.single(known)


def _transformed(graph: Graph, transform: FeatureTransform, X: str) -> str:
    rows = graph.double(_row_step(graph, transform.name, X))
    centred = graph.add("Sub", rows, graph.constant(transform.moments.mean))
    standardised = graph.add("Div", centred, graph.constant(transform.moments.scale))
    if transform.axes is None:
        return standardised
    return graph.add("MatMul", standardised, graph.constant(transform.axes.T))


def _row_step(graph: Graph, name: str, X: str) -> str:
    """The steps of `cellfeat.heads.preprocessing.transforms.ROW_STEPS`, which take and give float32."""
    if name == "power":
        return graph.add("Mul", graph.add("Sign", X), graph.add("Sqrt", graph.add("Abs", X)))
    if name == "l2":
        rows = graph.double(X)
        length = graph.reduce("ReduceL2", rows, 1)
        is_zero = graph.add("Equal", length, graph.constant(np.float64(0)))
        safe = graph.add("Where", is_zero, graph.constant(np.float64(1)), length)
        return graph.single(graph.add("Div", rows, safe))
    return X


def _mean_over_views(graph: Graph, probabilities: str, n_classes: int) -> str:
    n_samples = graph.add("Slice", graph.add("Shape", INPUT), graph.constant([0]), graph.constant([2]))
    shape = graph.add("Concat", n_samples, graph.constant([n_classes]), axis=0)
    return graph.reduce("ReduceMean", graph.add("Reshape", probabilities, shape), 1, keeps_axis=False)


def _tempered(graph: Graph, bundle: Bundle, probabilities: str) -> str:
    """`cellfeat.statistics.temperature.tempered`."""
    if bundle.temperature == 1.0:
        return probabilities
    # A softmax is 0 only where it underflows. There is always a larger probability, at least one over the classes.
    zero, one = graph.constant(np.float64(0)), graph.constant(np.float64(1))
    is_above = graph.add("Greater", probabilities, zero)
    least = graph.reduce("ReduceMin", graph.add("Where", is_above, probabilities, one), 1)
    voteless = graph.constant(np.float64(VOTELESS / len(bundle.head.classes_)))
    above = graph.add("Where", is_above, probabilities, graph.add("Min", least, voteless))
    scaled = graph.add("Div", graph.add("Log", above), graph.constant(np.float64(bundle.temperature)))
    return graph.add("Softmax", scaled, axis=1)


def _in_order_of_classes(graph: Graph, bundle: Bundle, probabilities: str) -> str:
    """Columns in the order of the bundle's classes, 0 for a class that was absent at fitting."""
    fitted = [str(label) for label in bundle.head.classes_]
    if fitted == bundle.classes:
        return probabilities
    places = np.array([[float(name == label) for name in bundle.classes] for label in fitted])
    return graph.add("MatMul", probabilities, graph.constant(places))
