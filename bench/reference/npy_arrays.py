"""Makes test/fixtures/npy/numpy.npz: the numbers 0 to 23 as [2, 3, 4], in every type, byte order, axis order and version.

Run from the root of the repository, with numpy 2.4.6. Names are `<type>_<little|big>_<c|fortran>_v<version>`.
"""

import io
import zipfile

import numpy as np

types = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]

with zipfile.ZipFile("test/fixtures/npy/numpy.npz", "w", zipfile.ZIP_DEFLATED) as archive:
    for code in types:
        for order, mark in [("little", "<"), ("big", ">")]:
            for axes in ["c", "fortran"]:
                for version in [1, 2, 3]:
                    array = np.arange(24).reshape(2, 3, 4).astype(mark + code)
                    array = np.asfortranarray(array) if axes == "fortran" else array
                    stream = io.BytesIO()
                    np.lib.format.write_array(stream, array, version=(version, 0))
                    entry = zipfile.ZipInfo(f"{code}_{order}_{axes}_v{version}.npy")
                    archive.writestr(entry, stream.getvalue(), zipfile.ZIP_DEFLATED)
