"""The classifier that gtsrb_injection_example.py of the original Neural Cleanse trains, for any version of Keras."""

import keras


def original_gtsrb(classes):
    L = keras.layers
    layers = []
    for i, filters in enumerate([32, 64, 128]):
        first = dict(input_shape=(32, 32, 3)) if i == 0 else {}
        layers += [
            L.Conv2D(filters, (3, 3), padding="same", activation="relu", **first),
            L.Conv2D(filters, (3, 3), activation="relu"),
            L.MaxPooling2D(pool_size=(2, 2)),
            L.Dropout(0.2),
        ]
    head = [L.Flatten(), L.Dense(512, activation="relu"), L.Dropout(0.5), L.Dense(classes, activation="softmax")]
    return keras.models.Sequential([*layers, *head])
