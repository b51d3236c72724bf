/** Tells by the first bytes what a file is that is not an ONNX model, so that the error can say what to do with it. */

/** A format other than ONNX, and what someone who holds such a file should do. */
export interface FileFormat {
  /** With its article, to follow "The file is". */
  readonly name: string;
  readonly hint: string;
}

interface Signature extends FileFormat {
  readonly matches: (file: FileStart) => boolean;
}

/** The first bytes of a file, as bytes and as Latin-1 text. */
interface FileStart {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Enough for the names of the first entries of a zip archive. */
const startLength = 4096;

const startsWith =
  (magic: string, offset = 0) =>
  ({ text }: FileStart): boolean =>
    text.startsWith(magic, offset);

const zip = 'PK\x03\x04';

const zipWith =
  (...entries: string[]) =>
  ({ text }: FileStart): boolean =>
    text.startsWith(zip) && entries.some((entry) => text.includes(entry));

const fromTorch = 'Load it in PyTorch and export it with torch.onnx.export.';
const fromTensorFlow = 'Convert it with tf2onnx.';
// Only who hands bytes to the reader of ONNX gets here: files are told apart before.
const fromKeras = 'Open a Keras model with openModel, which converts it.';
const notAModel = 'Give a model exported as .onnx.';

/** Printable or white space, in ASCII or any encoding that extends it. */
const isText = (byte: number): boolean => (byte >= 0x20 ? byte !== 0x7f : byte >= 0x09 && byte <= 0x0d);

/** In order: the special before the general. */
const signatures: readonly Signature[] = [
  { name: 'empty', hint: 'Copy or download it again.', matches: ({ bytes }) => bytes.length === 0 },
  {
    name: 'a Git LFS pointer, not the model itself',
    hint: 'Fetch the model with git lfs pull.',
    matches: startsWith('version https://git-lfs'),
  },
  { name: 'an HDF5 file', hint: fromKeras, matches: startsWith('\x89HDF') },
  { name: 'a Keras 3 archive', hint: fromKeras, matches: zipWith('model.weights.h5', 'config.json') },
  { name: 'a PyTorch archive', hint: fromTorch, matches: zipWith('data.pkl', 'constants.pkl') },
  { name: 'a NumPy archive', hint: notAModel, matches: zipWith('.npy') },
  { name: 'a zip archive', hint: 'Unpack it and give the .onnx file inside.', matches: startsWith(zip) },
  {
    name: 'a Python pickle',
    hint: fromTorch,
    matches: ({ bytes: [first, protocol = 0] }) => first === 0x80 && protocol >= 2 && protocol <= 5,
  },
  { name: 'a gzip archive', hint: 'Unpack it first.', matches: startsWith('\x1f\x8b') },
  { name: 'a NumPy array', hint: notAModel, matches: startsWith('\x93NUMPY') },
  { name: 'a PNG image', hint: notAModel, matches: startsWith('\x89PNG') },
  { name: 'a JPEG image', hint: notAModel, matches: startsWith('\xff\xd8\xff') },
  {
    name: 'a TensorFlow Lite model',
    hint: 'Convert it with tf2onnx --tflite.',
    matches: startsWith('TFL3', 4),
  },
  {
    name: 'a model in the ORT format',
    hint: 'Give the .onnx file that it was made from.',
    matches: startsWith('ORTM', 4),
  },
  {
    name: 'a safetensors file',
    hint: 'It holds weights without a network; export the whole model to ONNX.',
    matches: startsWith('{"', 8),
  },
  // saved_model_schema_version = 1, then the field meta_graphs
  { name: 'a TensorFlow SavedModel', hint: fromTensorFlow, matches: startsWith('\x08\x01\x12') },
  // Field node, whose first field is a name
  {
    name: 'a TensorFlow graph',
    hint: fromTensorFlow,
    matches: ({ text }) => text.startsWith('\n') && /Placeholder|Const/.test(text),
  },
  {
    name: 'a web page',
    hint: 'The download went wrong; fetch the file itself.',
    matches: ({ text }) => /^(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|head|body)/i.test(text),
  },
  { name: 'a text file', hint: notAModel, matches: ({ bytes }) => bytes.every(isText) },
];

/** The format of a file that is known not to hold an ONNX graph, or `undefined` if nothing fits. */
export function recogniseFormat(bytes: Uint8Array): FileFormat | undefined {
  const start = bytes.subarray(0, startLength);
  const text = Array.from(start, (byte) => String.fromCharCode(byte)).join('');
  return signatures.find(({ matches }) => matches({ bytes: start, text }));
}
