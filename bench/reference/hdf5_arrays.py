"""Makes test/fixtures/hdf5/*.h5: files that h5py writes and h5wasm cannot write.

Run from the root of the repository, with h5py 3.16.0 and numpy 2.4.6.
"""

import h5py
import numpy as np

folder = "test/fixtures/hdf5"
images = np.arange(2 * 3 * 2 * 3).reshape(2, 3, 2, 3)

with h5py.File(f"{folder}/big_endian.h5", "w") as file:
    file["X_test"] = (images / 35).astype(">f8")
    file["Y_test"] = np.array([3, 1], dtype=">i4")

with h5py.File(f"{folder}/booleans.h5", "w") as file:
    file["X_test"] = images.astype("u1")
    file["Y_test"] = np.eye(5, dtype=bool)[[3, 1]]

with h5py.File(f"{folder}/user_block.h5", "w", userblock_size=512) as file:
    file["X_test"] = images.astype("u1")

with h5py.File(f"{folder}/half.h5", "w") as file:
    file["X_test"] = images.astype("f2")

with h5py.File(f"{folder}/lzf.h5", "w") as file:
    file.create_dataset("X_test", data=images.astype("u1"), compression="lzf")

with h5py.File(f"{folder}/huge.h5", "w") as file:
    file.create_dataset("X_test", shape=(10**9, 1000, 1000, 3), dtype="u1", chunks=(1, 100, 100, 3))
