/** A mask that changes: white where the trigger covers, black where it leaves the image as it is. */

import { useEffect, useRef } from 'preact/hooks';

export function MaskCanvas({
  mask,
  size: [height, width],
  label,
}: {
  /** [H·W] in [0, 1] */
  readonly mask: Float32Array | undefined;
  readonly size: readonly [height: number, width: number];
  readonly label: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || !mask) return;
    const picture = context.createImageData(width, height);
    mask.forEach((value, i) => {
      const grey = Math.round(255 * value);
      picture.data.set([grey, grey, grey, 255], 4 * i);
    });
    context.putImageData(picture, 0, 0);
  }, [mask, height, width]);
  return <canvas ref={canvas} class="pixels" width={width} height={height} role="img" aria-label={label} />;
}
