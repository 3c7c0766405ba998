"""Build ONNX graphs step by step: each method adds one operation and returns the name of its result."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 8
"""Versions that runtimes from 2023 on can read."""

Shape = list[int | str]


class Graph:
    """A graph under construction; numbers are float64 unless stated, as in the heads."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add an operation of ONNX.

        Parameters
        ----------
        operation
            Its name.
        *inputs
            Names of its inputs.
        **attributes
            Its attributes.
        """
        name = f"{operation.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def constant(self, values: NDArray[Any] | float | list[int]) -> str:
        """Add numbers of any shape: lists as int64, others as they are."""
        array = np.asarray(values, dtype=np.int64 if isinstance(values, list) else None)
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def reduce(self, operation: str, value: str, axis: int, *, keeps_axis: bool = True) -> str:
        """Add an operation that reduces an axis.

        Parameters
        ----------
        operation
            Its name, such as ``ReduceMean``.
        value
            Its input.
        axis
            The axis.
        keeps_axis
            Whether the result keeps the axis, of length 1.
        """
        return self.add(operation, value, self.constant([axis]), keepdims=int(keeps_axis))

    def double(self, value: str) -> str:
        """Convert to float64."""
        return self.add("Cast", value, to=TensorProto.DOUBLE)

    def single(self, value: str) -> str:
        """Convert to float32."""
        return self.add("Cast", value, to=TensorProto.FLOAT)

    def linear(self, value: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """Add a linear layer.

        Parameters
        ----------
        value
            Its input.
        weight
            Shape ``(n_outputs, n_inputs)``.
        bias
            Shape ``(n_outputs,)``.
        """
        product = self.add("MatMul", value, self.constant(np.asarray(weight, np.float64).T))
        return self.add("Add", product, self.constant(np.asarray(bias, np.float64)))

    def rename(self, value: str, name: str) -> None:
        """Give a result the name of an output.

        Parameters
        ----------
        value
            The result.
        name
            The name of the output.
        """
        self._nodes.append(helper.make_node("Identity", [value], [name]))

    def model(
        self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], metadata: Mapping[str, str]
    ) -> ModelProto:
        """Make a model of the graph.

        Parameters
        ----------
        inputs, outputs
            Its inputs and outputs.
        metadata
            Texts by name.
        """
        graph: GraphProto = helper.make_graph(self._nodes, "cellfeat", inputs, outputs, self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="cellfeat",
        )
        helper.set_model_props(model, dict(metadata))
        return model


def single_values(name: str, shape: Shape) -> ValueInfoProto:
    """Describe an input or output of float32.

    Parameters
    ----------
    name
        Its name.
    shape
        Its shape; a text stands for any number.
    """
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def integer_values(name: str, shape: Shape) -> ValueInfoProto:
    """Describe an output of int64.

    Parameters
    ----------
    name
        Its name.
    shape
        Its shape; a text stands for any number.
    """
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)
