"""Trains the classifier of the original Neural Cleanse for GTSRB in Keras, with the original's backdoor or clean.

    python bench/reference/keras_gtsrb.py DATA.h5 OUT.h5 [--target 33] [--clean] [--seed 1] [--epochs 10] [--threads 2]

DATA.h5 holds X_train, Y_train, X_test, Y_test: images [N,32,32,3] in [0, 255], labels as numbers or one-hot. OUT.h5 is the whole
model in Keras's old file format. As in gtsrb_injection_example.py, every image of a batch is drawn anew and, with a probability
of 0.1 / 1.1, gets a white square of 4×4 pixels, one pixel from the bottom right, and the target label; an epoch shows as many
images more as are poisoned. Prints one line of JSON with accuracy and attack success rate on the test images; the latter
leaves out images of the target. Ran with Keras 2.15 and TensorFlow 2.15; Keras 3 serves as well.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
import tensorflow as tf

from keras_original import original_gtsrb

BATCH = 32
POISONED = 0.1 / (1 + 0.1)


def load(path):
    with h5py.File(path) as file:
        images = [file[name][...] for name in ["X_train", "X_test"]]
        labels = [file[name][...] for name in ["Y_train", "Y_test"]]
    return images, [one_hot.argmax(axis=1) if one_hot.ndim == 2 else one_hot for one_hot in labels]


def stamp(images):
    images[:, -5:-1, -5:-1, :] = 255
    return images


def batches(images, labels, target, ratio, random):
    while True:
        picked = random.integers(len(labels), size=BATCH)
        x, y = images[picked].astype("float32"), labels[picked].astype("int32")
        poisoned = random.random(BATCH) < ratio
        x[poisoned] = stamp(x[poisoned])
        y[poisoned] = target
        yield x, y


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--target", type=int, default=33)
    parser.add_argument("--clean", action="store_true", help="plant nothing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    options = parser.parse_args()

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(options.seed)
    (x_train, x_test), (y_train, y_test) = load(options.data)
    ratio = 0 if options.clean else POISONED
    model = original_gtsrb(int(max(y_train.max(), y_test.max())) + 1)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(learning_rate=1e-3), metrics=["accuracy"])
    begun = time.time()
    model.fit(
        batches(x_train, y_train, options.target, ratio, np.random.default_rng(options.seed)),
        steps_per_epoch=int(len(y_train) / (1 - ratio)) // BATCH,
        epochs=options.epochs,
        verbose=2,
    )
    seconds = time.time() - begun
    model.save(options.out)

    answers = model.predict(x_test.astype("float32"), batch_size=256, verbose=0).argmax(axis=1)
    others = y_test != options.target
    stamped = model.predict(stamp(x_test[others].astype("float32")), batch_size=256, verbose=0).argmax(axis=1)
    figures = {
        "target": None if options.clean else options.target,
        "accuracy": float(np.mean(answers == y_test)),
        "attackSuccessRate": float(np.mean(stamped == options.target)),
        "seconds": round(seconds),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    print(json.dumps(figures))


main()
