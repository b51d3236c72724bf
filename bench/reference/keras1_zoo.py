"""Models in the words of Keras 1 (nb_filter, border_mode, dim_ordering), with what it answers: NAME.h5 and NAME.npz.

Runs under Keras 1.2.2 on TensorFlow 1.15.5 with h5py 2.10.0 (Python 3.7).

    python bench/reference/keras1_zoo.py --out DIR
"""

import argparse
import os

import numpy as np
from keras import backend as K
from keras import layers as L
from keras.models import Model, Sequential

random = np.random.RandomState(5)


def flat_net(order):
    shape = (9, 8, 3) if order == "tf" else (3, 9, 8)
    return Sequential([
        L.ZeroPadding2D((1, 2), input_shape=shape, dim_ordering=order),
        L.Convolution2D(4, 3, 2, border_mode="same", subsample=(2, 1), activation="relu", dim_ordering=order),
        L.BatchNormalization(axis=-1 if order == "tf" else 1),
        L.MaxPooling2D((2, 2), dim_ordering=order),
        L.AtrousConvolution2D(4, 2, 2, atrous_rate=(2, 2), bias=False, dim_ordering=order),
        L.LeakyReLU(0.2),
        L.UpSampling2D((2, 1), dim_ordering=order),
        L.AveragePooling2D((2, 2), border_mode="same", dim_ordering=order),
        L.Dropout(0.2),
        L.Flatten(),
        L.Dense(8, activation="hard_sigmoid"),
        L.PReLU(),
        L.Dense(5, activation="softmax"),
    ])


def branches():
    x = L.Input((8, 7, 3))
    a = L.Convolution2D(4, 3, 3, border_mode="same", dim_ordering="tf")(x)
    b = L.SeparableConvolution2D(4, 3, 3, border_mode="same", dim_ordering="tf")(x)
    c = L.Deconvolution2D(4, 3, 3, output_shape=(2, 8, 7, 4), border_mode="same", dim_ordering="tf")(x)
    merged = [L.merge([a, b, c], mode=mode) for mode in ["sum", "mul", "ave", "max"]]
    joined = L.merge([*merged, a], mode="concat", concat_axis=-1)
    return Model(x, [
        L.GlobalAveragePooling2D(dim_ordering="tf")(joined),
        L.Permute((3, 1, 2))(joined),
        L.Reshape((14, 80))(joined),
        L.ELU(0.5)(a),
        L.ThresholdedReLU(0.2)(a),
        L.Cropping2D(((1, 2), (0, 1)), dim_ordering="tf")(b),
    ])


def sequences():
    x = L.Input((11, 4))
    a = L.Convolution1D(3, 3, border_mode="same", subsample_length=2, activation="tanh")(x)
    return Model(x, [
        a,
        L.MaxPooling1D(3, stride=2)(x),
        L.AveragePooling1D(2)(x),
        L.UpSampling1D(2)(x),
        L.RepeatVector(3)(L.Flatten()(a)),
        L.AtrousConvolution1D(3, 2, atrous_rate=2)(x),
    ])


def save(folder, name, model):
    for weight in model.weights:
        shape = K.int_shape(weight)
        is_variance = "running_std" in weight.name
        K.set_value(weight, random.uniform(0.5, 2, shape) if is_variance else random.normal(0.1, 0.5, shape))
    shape = K.int_shape(model.inputs[0])[1:]
    x = random.normal(0, 1, (2, *shape)).astype("float32")
    outputs = model.predict(x)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    stem = os.path.join(folder, f"{name}_1.2_h5")
    model.save(f"{stem}.h5")
    np.savez_compressed(f"{stem}.npz", x0=x, **{f"y{i}": y for i, y in enumerate(outputs)})
    print(stem)


parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
options = parser.parse_args()
os.makedirs(options.out, exist_ok=True)
for name, make in {
    "channels_last": lambda: flat_net("tf"),
    "channels_first": lambda: flat_net("th"),
    "branches": branches,
    "sequences": sequences,
}.items():
    save(options.out, name, make())
