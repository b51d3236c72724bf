/** HDF5 files of a tree in a browser: read into the memory of the HDF5 library, which is loaded when first needed. */

import { type Hdf5File, reading } from './hdf5.ts';
import type { FileTree } from './tree.ts';

let opened = 0;

/** @throws NeuralCleanseError DATA_CORRUPT */
export async function openHdf5(tree: FileTree, path: string): Promise<Hdf5File> {
  const bytes = await tree.read(path);
  const { File, ready } = await import('h5wasm');
  const module = await ready;
  // Without this, failed reads are reported on the console only and return stale memory.
  module.activate_throwing_error_handler();
  const name = `/data-${opened++}.h5`;
  module.FS.writeFile(name, bytes);
  try {
    const file = reading(path, () => new File(name, 'r'));
    const close = file.close.bind(file);
    file.close = () => {
      const status = close();
      module.FS.unlink(name);
      return status;
    };
    return file;
  } catch (error) {
    module.FS.unlink(name);
    throw error;
  }
}
