"""Makes test/fixtures/resize/pillow.npz: images, and what Pillow makes of them.

Each case has two arrays, `<name>.in` and `<name>.out`. Run from the root of the repository, with numpy and Pillow 11.3.0.
Pillow 13 filters columns before rows where the height shrinks much more than the width, which changes some pixels by 1.
"""

import numpy as np
from PIL import Image

random = np.random.default_rng(7)


def noise(*shape):
    return random.integers(0, 256, shape, dtype=np.uint8)


def waves(height, width):
    y, x = np.mgrid[0:height, 0:width]
    channels = [np.sin(x / 3 + y / 5), np.cos(x * y / 40), np.sin(y / 2)]
    return np.round(127.5 + 127.5 * np.stack(channels, -1)).astype(np.uint8)


# name: (image, height, width)
resized = {
    "grey_down": (noise(37, 53), 28, 28),
    "grey_up": (noise(7, 9), 28, 31),
    "grey_far_down": (noise(96, 64), 5, 3),
    "grey_rows_only": (noise(20, 16), 20, 7),
    "grey_columns_only": (noise(20, 16), 33, 16),
    "grey_one_pixel": (noise(1, 1), 4, 3),
    "grey_to_one_pixel": (noise(13, 11), 1, 1),
    "grey_extremes": ((noise(24, 24) > 127).astype(np.uint8) * 255, 17, 19),
    "rgb_down": (waves(48, 41), 32, 32),
    "rgb_up": (noise(15, 16, 3), 32, 32),
    "rgb_mixed": (noise(11, 40, 3), 32, 16),
    "float_down": (random.random((23, 18), dtype=np.float32), 10, 11),
    "float_up": (random.random((5, 6), dtype=np.float32), 12, 9),
}

arrays = {}
for name, (image, height, width) in resized.items():
    result = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    arrays[f"{name}.in"], arrays[f"{name}.out"] = image, np.asarray(result)

image = noise(32, 32, 3)
arrays["luma.in"], arrays["luma.out"] = image, np.asarray(Image.fromarray(image).convert("L"))

np.savez_compressed("test/fixtures/resize/pillow.npz", **arrays)
