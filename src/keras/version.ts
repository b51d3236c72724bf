/** The version of Keras that wrote a file: some layers changed their meaning. */

export interface KerasVersion {
  /** As the file states it, such as "2.15.0" or "2.2.4-tf"; else the major version, as far as it shows. */
  readonly text: string;
  readonly major: number;
  readonly minor: number;
  /** In a file of Keras 1: whether layers that do not say where their channels are have them first, as those that do. */
  readonly channelsFirst: boolean;
}

/** @param json the architecture, where words of Keras 1 tell what no version does (Keras 1.0 states none) */
export function versionOf(stated: string | undefined, json: string): KerasVersion {
  const channelsFirst = /"dim_ordering": ?"th"/.test(json);
  const [major = Number.NaN, minor = 0] = (stated ?? '').split('.').map((part) => Number.parseInt(part, 10));
  if (major >= 1) return { text: stated!, major, minor, channelsFirst };
  const isFirst = /"(border_mode|dim_ordering|output_dim|nb_filter)"/.test(json);
  return { text: isFirst ? '1' : '2', major: isFirst ? 1 : 2, minor: 0, channelsFirst };
}

/** Whether bilinear resizing aligned the corners of pixels: Keras before 2.3 on TensorFlow 1, but never tf.keras. */
export const alignsCorners = ({ text, major, minor }: KerasVersion): boolean =>
  (major < 2 || (major === 2 && minor < 3)) && !text.endsWith('-tf');
