"""Whole nets with random weights, and what Keras answers: NAME.h5 or NAME.keras, and NAME.npz (x0, y0).

The classifier of the original Neural Cleanse for GTSRB, DeepID with its two branches, a ResNet with batch normalisation, and
MobileNetV2 and VGG16 from keras.applications. Runs under the versions that keras_zoo.py lists.

    python bench/reference/keras_nets.py --out DIR [--only NAME,NAME]
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from keras_original import original_gtsrb

version = tuple(int(part) for part in keras.__version__.split(".")[:2])
L, applications = keras.layers, keras.applications
Model, Input = keras.models.Model, keras.layers.Input
random = np.random.RandomState(11)


def gtsrb():
    return original_gtsrb(43)


def deepid():
    x = Input((55, 47, 3), name="input")
    y = L.MaxPooling2D(2, name="pool_1")(L.Conv2D(20, 4, activation="relu", name="conv_1")(x))
    y = L.MaxPooling2D(2, name="pool_2")(L.Conv2D(40, 3, activation="relu", name="conv_2")(y))
    y = L.MaxPooling2D(2, name="pool_3")(L.Conv2D(60, 3, activation="relu", name="conv_3")(y))
    a = L.Dense(160, name="fc_1")(L.Flatten()(y))
    b = L.Dense(160, name="fc_2")(L.Flatten()(L.Conv2D(80, 2, activation="relu", name="conv_4")(y)))
    y = L.Activation("relu")(L.Add()([a, b]))
    return Model(x, L.Dense(1283, activation="softmax", name="output")(y))


def resnet():
    """ResNet-20 for 32×32 images (He et al., 2015, section 4.2)."""

    def unit(x, filters, stride):
        y = L.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
        y = L.Activation("relu")(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        if stride != 1:
            x = L.BatchNormalization()(L.Conv2D(filters, 1, strides=stride, use_bias=False)(x))
        return L.Activation("relu")(L.Add()([x, y]))

    x = Input((32, 32, 3))
    y = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(16, 3, padding="same", use_bias=False)(x)))
    for filters in [16, 32, 64]:
        for i in range(3):
            y = unit(y, filters, 2 if i == 0 and filters > 16 else 1)
    return Model(x, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(y)))


def mobilenet_v2():
    # Another size than the one in its name makes no difference here: weights are random.
    return applications.MobileNetV2(input_shape=(64, 64, 3), weights=None, classes=43)


def vgg16():
    return applications.VGG16(input_shape=(48, 48, 3), weights=None, classes=43)


def moving_statistics(model, variances):
    """New nets have mean 0 and variance 1, which would hide a batch normalisation that is left out."""
    for weight in model.weights:
        shape = tuple(int(d) for d in weight.shape)
        name = getattr(weight, "path", weight.name)
        if "moving_mean" in name:
            value = random.normal(0, 0.2, shape)
        elif "moving_variance" in name:
            value = random.uniform(*variances, shape)
        else:
            continue
        if version >= (2, 15):
            weight.assign(value)
        else:
            keras.backend.set_value(weight, value)


def spread(model, x):
    """New nets hardly prefer a class, and a softmax of nearly equal logits hides their errors: makes them differ by about 3."""
    last = [layer for layer in model.layers if layer.get_weights()][-1]
    kernel, bias = last.get_weights()
    last.set_weights([kernel * 3 / np.log(model.predict(x, verbose=0)).std(axis=1).mean(), bias])


parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--only")
options = parser.parse_args()
os.makedirs(options.out, exist_ok=True)
for make in [gtsrb, deepid, resnet, mobilenet_v2, vgg16]:
    if options.only and make.__name__ not in options.only.split(","):
        continue
    keras.backend.clear_session()
    model = make()
    # Without gains a deep net without shortcuts forgets its input; with them one with shortcuts overflows.
    moving_statistics(model, (0.02, 0.2) if make is mobilenet_v2 else (0.5, 1.2))
    shape = [int(d) for d in model.inputs[0].shape[1:]]
    x = random.uniform(0, 1, (4, *shape)).astype("float32")
    spread(model, x)
    y = model.predict(x, verbose=0)
    print(make.__name__, "largest probabilities", y.max(axis=1), "of class", y.argmax(axis=1))
    for ending in ["h5", "keras"] if version >= (3, 0) else ["h5"]:
        stem = os.path.join(options.out, f"{make.__name__}_{'.'.join(map(str, version))}_{ending}")
        model.save(f"{stem}.{ending}")
        np.savez_compressed(f"{stem}.npz", x0=x, y0=y)
        print(stem)
