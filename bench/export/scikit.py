"""The scikit-learn export of docs/export.md: an MLPClassifier on flattened digits, as a model of images.

    python bench/export/scikit.py DIR      then: npx tsx bench/export/inspect.ts DIR

Needs scikit-learn 1.9.1, skl2onnx 1.20.0 and onnx 1.23.2.
"""

import sys

import onnx
import skl2onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
import numpy as np

folder = sys.argv[1]
digits = load_digits()
mlp = MLPClassifier((32,), max_iter=50, random_state=0).fit(digits.data / 16, digits.target)

model = skl2onnx.to_onnx(
    mlp, initial_types=[("pixels", FloatTensorType([None, 64]))], options={"zipmap": False, "output_class_labels": False},
)
onnx.save(model, f"{folder}/scikit_flat.onnx")

# An image input in front of the flat one, and the probabilities as the only output.
graph = model.graph
shape = numpy_helper.from_array(np.array([-1, 64], np.int64), "flat_shape")
graph.initializer.append(shape)
graph.node.insert(0, helper.make_node("Reshape", ["x", "flat_shape"], [graph.input[0].name]))
del graph.input[:]
graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8]))
scores = next(output for output in graph.output if "prob" in output.name)
del graph.output[:]
graph.output.append(scores)
onnx.checker.check_model(model)
onnx.save(model, f"{folder}/scikit_image.onnx")
