"""Models that use every layer the converter knows, with what Keras answers: NAME.h5 or NAME.keras, and NAME.npz (x*, y*).

Runs under Keras 2.2.4 (TensorFlow 1.15.5, Python 3.7), tf.keras 2.15.0 and Keras 3.15.1 (Python 3.11); see keras1_zoo.py
for Keras 1. Layers that a version lacks are left out.

    python bench/reference/keras_zoo.py --out DIR [--only NAME,NAME]

The files in test/fixtures/keras/ are from here. Weights are random, with statistics that change every value.
"""

import argparse
import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

version = tuple(int(part) for part in keras.__version__.split(".")[:2])
L = keras.layers
Model, Sequential, Input = keras.models.Model, keras.models.Sequential, keras.layers.Input
random = np.random.RandomState(7)


def randomise(model):
    """Gives every weight a value that is neither the initial one nor negative where that makes no sense."""
    for weight in model.weights:
        name = getattr(weight, "path", weight.name)
        shape = tuple(int(d) for d in weight.shape)
        if "count" in name:
            continue
        if "variance" in name:
            value = random.uniform(0.5, 2, shape)
        elif "gamma" in name:
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0, 1, shape) / np.sqrt(max(np.prod(shape[:-1]), 1)) + (0.1 if len(shape) < 2 else 0)
        if version >= (2, 15):
            weight.assign(value)
        else:
            keras.backend.set_value(weight, value)
    for layer in model.layers:
        if type(layer).__name__ == "Normalization" and layer.input_mean is None:
            layer.finalize_state()


def several(x, layers):
    """Applies each layer to x; layers that a version or its CPU kernels refuse are left out."""
    outputs = []
    for make in layers:
        try:
            y = make(x)
            Model(x, y).predict(np.zeros((1, *[int(d) for d in x.shape[1:]])), verbose=0)
            outputs.append(y)
        except Exception as error:  # noqa: BLE001 - each version refuses in its own way
            source = inspect.getsource(make).strip().splitlines()[0][:70] if len(layers) < 20 else ""
            print("   left out:", source, str(error).strip().splitlines()[0][:100])
    return outputs


def convolutions():
    x = Input((9, 8, 3))
    return x, several(x, [
        lambda x: L.Conv2D(4, 3, padding="same", name="same")(x),
        lambda x: L.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", name="strided")(x),
        lambda x: L.Conv2D(4, (2, 3), strides=(2, 1), use_bias=False, name="valid")(x),
        lambda x: L.Conv2D(4, 3, dilation_rate=2, padding="same", name="dilated")(x),
        lambda x: L.Conv2D(6, 3, groups=3, name="grouped")(x),
        lambda x: L.Conv2D(4, 1, activation="softmax", name="pointwise")(x),
        lambda x: L.DepthwiseConv2D(3, name="depthwise")(x),
        lambda x: L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", activation="relu", name="depthwise_2")(x),
        lambda x: L.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, name="separable")(x),
        lambda x: L.Conv2DTranspose(4, 3, strides=2, padding="same", name="transposed_same")(x),
        lambda x: L.Conv2DTranspose(4, (3, 2), strides=(2, 3), padding="valid", name="transposed_valid")(x),
        lambda x: L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1, name="transposed_padded")(x),
        lambda x: L.Conv2DTranspose(2, 2, strides=3, padding="same", use_bias=False, name="transposed_gaps")(x),
    ])


def sequences():
    x = Input((11, 4))
    return x, several(x, [
        lambda x: L.Conv1D(3, 3, padding="same", strides=2, name="same")(x),
        lambda x: L.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="tanh", name="causal")(x),
        lambda x: L.SeparableConv1D(3, 3, name="separable")(x),
        lambda x: L.MaxPooling1D(3, strides=2, padding="same", name="max")(x),
        lambda x: L.AveragePooling1D(2, name="average")(x),
        lambda x: L.GlobalMaxPooling1D(name="global_max")(x),
        lambda x: L.GlobalAveragePooling1D(name="global_average")(x),
        lambda x: L.ZeroPadding1D((1, 2), name="padded")(x),
        lambda x: L.Cropping1D((1, 2), name="cropped")(x),
        lambda x: L.UpSampling1D(2, name="up")(x),
        lambda x: L.SpatialDropout1D(0.5, name="dropout")(x),
        lambda x: L.BatchNormalization(name="normalised")(x),
        lambda x: L.Flatten(name="flat")(L.Conv1D(2, 3)(x)),
        lambda x: L.Conv1DTranspose(2, 3, strides=2, padding="same", name="transposed")(x),
        lambda x: L.DepthwiseConv1D(3, padding="same", name="depthwise")(x),
    ])


def pooling():
    x = Input((9, 8, 3))
    return x, several(x, [
        lambda x: L.MaxPooling2D(2, name="max")(x),
        lambda x: L.MaxPooling2D(3, strides=2, padding="same", name="max_same")(x),
        lambda x: L.AveragePooling2D((2, 3), name="average")(x),
        lambda x: L.AveragePooling2D(3, strides=2, padding="same", name="average_same")(x),
        lambda x: L.GlobalMaxPooling2D(name="global_max")(x),
        lambda x: L.GlobalAveragePooling2D(name="global_average")(x),
        lambda x: L.GlobalAveragePooling2D(keepdims=True, name="global_kept")(x),
        lambda x: L.MaxPooling2D(3, name="max_padded")(L.ZeroPadding2D(1)(L.Conv2D(2, 1, activation="selu")(x))),
        lambda x: L.AveragePooling2D(3, name="average_padded")(L.ZeroPadding2D(1)(x)),
        lambda x: L.Dense(4, name="dense")(L.Flatten()(L.MaxPooling2D(2)(x))),
    ])


def activations():
    x = Input((4, 5, 3))
    names = (
        "relu relu6 leaky_relu elu selu celu gelu softmax log_softmax softplus softsign sigmoid hard_sigmoid log_sigmoid "
        "tanh hard_tanh exponential linear silu swish hard_silu mish"
    ).split()
    return x, several(x, [lambda x, n=n: L.Activation(n, name=f"by_name_{n}")(x) for n in names] + [
        lambda x: L.ReLU(name="relu")(x),
        lambda x: L.ReLU(max_value=1.0, name="relu_max")(x),
        lambda x: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.5, name="relu_all")(x),
        lambda x: L.ReLU(negative_slope=0.1, name="relu_slope")(x),
        lambda x: L.ReLU(threshold=0.5, name="relu_threshold")(x),
        lambda x: L.ReLU(max_value=1.0, negative_slope=0.2, name="relu_slope_max")(x),
        lambda x: L.LeakyReLU(name="leaky_default")(x),
        lambda x: L.LeakyReLU(0.1, name="leaky")(x),
        lambda x: L.PReLU(name="prelu")(x),
        lambda x: L.PReLU(shared_axes=[1, 2], name="prelu_shared")(L.Conv2D(4, 1)(x)),
        lambda x: L.ELU(0.7, name="elu")(x),
        lambda x: L.ThresholdedReLU(0.4, name="thresholded")(x),
        lambda x: L.Softmax(name="softmax")(x),
        lambda x: L.Softmax(axis=1, name="softmax_rows")(L.Conv2D(4, 1)(x)),
    ] + ([lambda x: L.Dense(3, activation=L.LeakyReLU(0.2), name="dense_leaky")(x)] if version >= (2, 15) else []))


def normalisation():
    x = Input((4, 5, 3))
    return x, several(x, [
        lambda x: L.BatchNormalization(name="batch")(x),
        lambda x: L.BatchNormalization(scale=False, name="batch_without_scale")(L.Conv2D(4, 1)(x)),
        lambda x: L.BatchNormalization(center=False, epsilon=0.01, name="batch_without_center")(x),
        lambda x: L.BatchNormalization(axis=1, name="batch_rows")(x),
        lambda x: L.BatchNormalization(axis=2, name="batch_columns")(x),
        lambda x: L.BatchNormalization(name="batch_flat")(L.Flatten()(x)),
        lambda x: L.LayerNormalization(name="layer")(x),
        lambda x: L.LayerNormalization(axis=[1, 3], scale=False, name="layer_axes")(L.Conv2D(4, 1)(x)),
        lambda x: L.LayerNormalization(axis=1, center=False, epsilon=0.1, name="layer_rows")(x),
        lambda x: L.Rescaling(1 / 127.5, -1.0, name="rescaled")(x),
        lambda x: L.Rescaling([1.0, 2.0, 3.0], [0.5, 0.0, -0.5], name="rescaled_channels")(L.Conv2D(3, 1)(x)),
        lambda x: L.Normalization(name="statistics")(x),
        lambda x: L.Normalization(axis=None, name="statistics_all")(x),
        lambda x: L.Normalization(axis=[1, 3], name="statistics_axes")(L.Conv2D(3, 1)(x)),
        lambda x: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0], name="statistics_stated")(x),
        lambda x: L.Normalization(mean=0.3, variance=2.0, invert=True, name="statistics_inverted")(x),
    ])


def reshaping():
    x = Input((6, 5, 4))
    return x, several(x, [
        lambda x: L.Flatten(name="flat")(L.Conv2D(3, 2)(x)),
        lambda x: L.Flatten(data_format="channels_first", name="flat_first")(x),
        lambda x: L.Reshape((-1, 8), name="reshaped")(L.Conv2D(4, 1)(x)),
        lambda x: L.Reshape((3, 4, 10), name="reshaped_3")(x),
        lambda x: L.Permute((3, 1, 2), name="permuted")(L.Conv2D(4, 1)(x)),
        lambda x: L.RepeatVector(3, name="repeated")(L.Flatten()(x)),
        lambda x: L.ZeroPadding2D(((1, 0), (2, 3)), name="padded")(x),
        lambda x: L.ZeroPadding2D((1, 2), name="padded_pair")(x),
        lambda x: L.ZeroPadding2D(1, name="padded_one")(x),
        lambda x: L.Cropping2D(((1, 0), (2, 1)), name="cropped")(x),
        lambda x: L.UpSampling2D((2, 3), name="up")(x),
        lambda x: L.UpSampling2D(2, interpolation="bilinear", name="up_bilinear")(x),
        lambda x: L.Dense(3, name="dense_4")(x),
        lambda x: L.Dense(3, use_bias=False, activation="relu", name="dense_4_moved")(L.Conv2D(2, 1)(x)),
        lambda x: L.Dropout(0.5, name="dropout")(x),
        lambda x: L.SpatialDropout2D(0.5, name="spatial_dropout")(x),
        lambda x: L.GaussianNoise(0.5, name="noise")(x),
        lambda x: L.GaussianDropout(0.5, name="gaussian_dropout")(x),
        lambda x: L.AlphaDropout(0.5, name="alpha_dropout")(x),
        lambda x: L.RandomFlip(name="flip")(x),
        lambda x: L.RandomRotation(0.1, name="rotation")(x),
        lambda x: L.RandomZoom(0.1, name="zoom")(x),
        lambda x: L.RandomContrast(0.1, name="contrast")(x),
        lambda x: L.RandomTranslation(0.1, 0.1, name="translation")(x),
    ])


def merging():
    x = Input((6, 5, 4))
    a, b = L.Conv2D(3, 1)(x), L.Conv2D(3, 1, padding="same")(x)
    flat = L.Dense(3)(L.GlobalAveragePooling2D()(x))
    outputs = [
        L.Add(name="added")([a, b, a]),
        L.Subtract(name="subtracted")([a, b]),
        L.Multiply(name="multiplied")([a, b]),
        L.Average(name="averaged")([a, b, b]),
        L.Maximum(name="maximum")([a, b]),
        L.Concatenate(name="joined")([a, x, b]),
        L.Concatenate(axis=1, name="joined_rows")([a, b]),
        L.Concatenate(name="joined_flat")([flat, flat]),
        L.Add(name="added_turned")([x, L.Conv2D(4, 1)(x)]),
    ]
    if hasattr(L, "Minimum"):
        outputs.append(L.Minimum(name="minimum")([a, b]))
    if version >= (2, 3):
        gate = L.Reshape((1, 1, 3))(L.Dense(3, activation="sigmoid")(flat))
        outputs.append(L.Multiply(name="gated")([a, gate]))
    return x, outputs


def sharing():
    """Layers and models that are called several times, models in models, two inputs, frozen parts."""
    x, y = Input((6, 6, 3), name="left"), Input((6, 6, 3), name="right")
    shared = L.Conv2D(4, 3, activation="relu", name="shared")
    inner_in = Input((4, 4, 4))
    part = L.BatchNormalization(name="part_norm")(L.Conv2D(4, 3, padding="same", name="part_conv")(inner_in))
    block = Model(inner_in, L.Add()([part, inner_in]), name="block")
    head = Sequential([L.Conv2D(3, 2, input_shape=(4, 4, 4), name="head_conv"), L.BatchNormalization(name="head_norm"),
                       L.Flatten(), L.Dense(4, name="head_dense")], name="head")
    head.layers[0].trainable = False
    twice = block(block(shared(x)))
    other = block(shared(y))
    two = Model(inner_in, [L.Conv2D(2, 1, name="one")(inner_in), L.Conv2D(2, 2, name="two")(inner_in)], name="two_outputs")
    first, second = two(twice)
    return [x, y], [
        L.Concatenate(name="heads")([head(twice), head(other)]),
        L.Flatten(name="from_first")(first),
        L.Flatten(name="from_second")(second),
    ]


def operations():
    x = Input((6, 5, 4))
    a = L.Conv2D(4, 1)(x)
    if version >= (3, 0):
        o = keras.ops
        mean, relu, concat, reshape, clip = o.mean, o.relu, o.concatenate, o.reshape, lambda v: o.clip(v, -0.5, 0.5)
        rest = [o.softmax(a), o.leaky_relu(a), o.exp(a), o.square(a), o.max(a, axis=-1, keepdims=True), o.transpose(x, (0, 2, 1, 3)),
                o.expand_dims(x, 1), o.squeeze(o.expand_dims(x, 1), 1), o.absolute(a), o.hard_sigmoid(a), o.gelu(a), o.maximum(a, 0.1)]
    else:
        mean, relu, concat, reshape = tf.reduce_mean, tf.nn.relu, tf.concat, tf.reshape
        clip = lambda v: tf.clip_by_value(v, -0.5, 0.5)  # noqa: E731
        rest = [tf.nn.softmax(a), tf.nn.leaky_relu(a), tf.exp(a), tf.square(a), tf.reduce_max(a, axis=-1, keepdims=True),
                tf.transpose(x, (0, 2, 1, 3)), tf.expand_dims(x, 1), tf.abs(a), tf.nn.relu6(a), tf.nn.silu(a), tf.maximum(a, 0.1), tf.sqrt(tf.abs(x))]
    return x, [
        a + x, a - 1.0, 1.0 - a, a * x, a * 2.0, a / 3.0, -a, relu(a), concat([a, x], axis=-1),
        mean(a, axis=[1, 2]), mean(a, axis=1), mean(a, axis=[1, 2], keepdims=True), reshape(a, (-1, 10, 12)), clip(a),
        x - np.array([0.1, 0.2, 0.3, 0.4], "float32"), *rest,
    ]


def channels_first():
    x = Input((3, 9, 8))
    k = dict(data_format="channels_first")
    return x, several(x, [
        lambda x: L.Conv2D(4, 3, padding="same", strides=2, name="conv", **k)(x),
        lambda x: L.DepthwiseConv2D(3, padding="same", name="depthwise", **k)(x),
        lambda x: L.SeparableConv2D(4, 3, name="separable", **k)(x),
        lambda x: L.Conv2DTranspose(4, 3, strides=2, padding="same", name="transposed", **k)(x),
        lambda x: L.MaxPooling2D(2, name="max", **k)(x),
        lambda x: L.AveragePooling2D(3, padding="same", name="average", **k)(x),
        lambda x: L.GlobalAveragePooling2D(name="global_average", **k)(x),
        lambda x: L.BatchNormalization(axis=1, name="normalised")(x),
        lambda x: L.ZeroPadding2D((1, 2), name="padded", **k)(x),
        lambda x: L.Cropping2D((1, 2), name="cropped", **k)(x),
        lambda x: L.UpSampling2D((2, 1), name="up", **k)(x),
        lambda x: L.Flatten(name="flat", **k)(x),
        lambda x: L.Flatten(name="flat_as_is")(x),
        lambda x: L.PReLU(shared_axes=[2, 3], name="prelu")(x),
        lambda x: L.Dense(5, name="dense")(L.Flatten(**k)(L.MaxPooling2D(2, **k)(x))),
        lambda x: L.Concatenate(axis=1, name="joined")([x, x]),
    ])


def open_size():
    """Height and width are not known before an image comes."""
    x = Input((None, None, 3))
    y = L.Conv2D(4, 3, padding="same", strides=2, activation="relu")(x)
    y = L.MaxPooling2D(3, strides=2, padding="same")(y)
    y = L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(y))
    return x, [L.Dense(3, activation="softmax", name="scores")(L.GlobalAveragePooling2D()(y))]


def sequential():
    model = Sequential([
        L.Conv2D(4, 3, input_shape=(10, 9, 3), activation="relu"),
        L.MaxPooling2D(2), L.Conv2D(6, 2), L.BatchNormalization(), L.Activation("relu"), L.Dropout(0.25), L.Flatten(),
        L.Dense(8, activation="relu"), L.Dense(5, activation="softmax"),
    ])
    return model


def transfer():
    """A frozen model as the first layer of a sequential one."""
    x = Input((10, 9, 3))
    base = Model(x, L.BatchNormalization()(L.Conv2D(4, 3, activation="relu")(L.BatchNormalization()(x))), name="base")
    base.trainable = False
    return Sequential([base, L.GlobalAveragePooling2D(), L.Dense(5, activation="softmax")])


def deferred():
    """A sequential model that learned its shape from its first batch."""
    model = Sequential([L.Conv2D(4, 3, activation="relu"), L.BatchNormalization(), L.Flatten(), L.Dense(5)])
    model.predict(np.zeros((1, 6, 5, 3), "float32"), verbose=0)
    return model


def save(folder, name, model, size=(13, 10)):
    randomise(model)
    shapes = [[s if str(d) in ("None", "?") else int(d) for d, s in zip(i.shape, (2, *size, 3))] for i in model.inputs]
    inputs = [random.normal(0, 1, shape).astype("float32") for shape in shapes]
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    arrays = {f"x{i}": v for i, v in enumerate(inputs)}
    arrays.update({f"y{i}": v for i, v in enumerate(outputs)})
    for ending in ["h5", "keras"] if version >= (2, 15) else ["h5"]:
        stem = f"{name}_{'.'.join(map(str, version))}_{ending}"
        try:
            model.save(os.path.join(folder, f"{stem}.{ending}"))
        except Exception as error:  # noqa: BLE001
            print("   not saved:", stem, str(error).splitlines()[0][:100])
            continue
        np.savez_compressed(os.path.join(folder, f"{stem}.npz"), **arrays)
        print(stem, len(outputs), "outputs")


makers = [convolutions, sequences, pooling, activations, normalisation, reshaping, merging, sharing, channels_first, open_size]
if version >= (2, 4):
    makers.append(operations)

parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--only")
options = parser.parse_args()
os.makedirs(options.out, exist_ok=True)
if version >= (2, 15):
    makers.append(deferred)
for make in [*makers, sequential, transfer]:
    if options.only and make.__name__ not in options.only.split(","):
        continue
    keras.backend.clear_session()
    print(make.__name__)
    built = make()
    save(options.out, make.__name__, built if isinstance(built, Model) else Model(*built))
