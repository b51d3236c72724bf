"""Makes test/fixtures/parquet/*.parquet: what Hugging Face datasets and Arrow write.

Run from the root of the repository, with datasets 5.2.0 and pyarrow 26.0.1. Image i has the grey value 10 * i everywhere.
"""

import io
import os

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

folder = "test/fixtures/parquet"
os.makedirs(folder, exist_ok=True)


def png(i):
    out = io.BytesIO()
    Image.fromarray(np.full((2, 3), 10 * i, np.uint8)).save(out, "png")
    return out.getvalue()


labels = [0, 2, 1, 2, 0, 1]
features = datasets.Features(
    image=datasets.Image(), label=datasets.ClassLabel(names=["stop", "go", "turn"])
)
rows = {"image": [{"bytes": png(i), "path": f"{i}.png"} for i in range(6)], "label": labels}
datasets.Dataset.from_dict(rows, features).to_parquet(f"{folder}/huggingface.parquet", batch_size=4)

# The columns of CIFAR-100, and a row without an image.
features = datasets.Features(
    img=datasets.Image(),
    fine_label=datasets.ClassLabel(names=[str(i) for i in range(5)]),
    coarse_label=datasets.ClassLabel(names=["animal", "thing"]),
)
rows = {
    "img": [{"bytes": png(i), "path": None} for i in range(20)] + [None],
    "fine_label": [i % 5 for i in range(21)],
    "coarse_label": [i % 2 for i in range(21)],
}
datasets.Dataset.from_dict(rows, features).to_parquet(f"{folder}/two_labels.parquet", batch_size=100)

# Without notes of datasets: bytes as they are, and labels of the other widths.
plain = pa.table(
    {
        "id": pa.array(range(6), pa.int64()),
        "image": pa.array([png(i) for i in range(6)], pa.binary()),
        "name": pa.array([f"{i}.png" for i in range(6)], pa.string()),
        "label": pa.array(labels, pa.uint8()),
    }
)
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(plain, f"{folder}/{codec}.parquet", compression=codec, store_schema=False)
pq.write_table(
    plain,
    f"{folder}/version_2.parquet",
    data_page_version="2.0",
    use_dictionary=False,
    row_group_size=5,
    store_schema=False,
)
pq.write_table(
    plain,
    f"{folder}/delta.parquet",
    use_dictionary=False,
    column_encoding={"label": "DELTA_BINARY_PACKED"},
    store_schema=False,
)

pixels = pa.array([[[0, 1], [2, 3]]] * 2, pa.list_(pa.list_(pa.uint8())))
pq.write_table(
    pa.table({"image": pixels, "label": pa.array([0, 1])}), f"{folder}/lists.parquet", store_schema=False
)
two = pa.table({"left": [png(0)], "right": [png(1)]})
pq.write_table(two, f"{folder}/two_images.parquet", store_schema=False)
