"""The TensorFlow and Keras exports of docs/export.md on small networks with random weights.

    python bench/export/keras_models.py DIR      then: npx tsx bench/export/inspect.ts DIR

Needs tensorflow-cpu 2.21.0 and keras 3.15.1; for the ONNX files tf2onnx 1.17.0 and onnx 1.23.2.
"""

import subprocess
import sys

import keras
import tensorflow as tf

folder = sys.argv[1]
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((32, 32, 3), name="x"),
    keras.layers.Conv2D(8, 3, activation="relu"),
    keras.layers.BatchNormalization(),
    keras.layers.MaxPooling2D(),
    keras.layers.Conv2D(16, 3, padding="same", strides=2, activation="relu"),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(10, activation="softmax"),
])
model.save(f"{folder}/keras.h5")
model.save(f"{folder}/keras.keras")

model(keras.ops.zeros((1, 32, 32, 3)))  # The exporter wants a model that has been called.
model.export(f"{folder}/keras_export.onnx", format="onnx")

model.export(f"{folder}/saved_model")
subprocess.run(
    [sys.executable, "-m", "tf2onnx.convert", "--saved-model", f"{folder}/saved_model",
     "--output", f"{folder}/keras_tf2onnx.onnx", "--opset", "17"], check=False,
)
subprocess.run(
    [sys.executable, "-m", "tf2onnx.convert", "--saved-model", f"{folder}/saved_model",
     "--output", f"{folder}/keras_tf2onnx_nchw.onnx", "--opset", "17", "--inputs-as-nchw", "x:0"], check=False,
)
