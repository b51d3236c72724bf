/** What was found in the files that were given. */

import { modelFormatText } from '../../../src/data/model-format.ts';
import { counted, whole } from '../../../src/report/html/numbers.ts';
import { Facts, Pixels } from '../../../src/report/html/parts.tsx';
import type { ImageFacts, ModelFacts } from '../scan/protocol.ts';

export const ModelShown = ({ facts: { format, input, classes, head } }: { readonly facts: ModelFacts }) => (
  <Facts
    of={{
      Format: modelFormatText[format],
      Images: `${input.height} × ${input.width}, ${input.channels === 1 ? 'grey' : 'colour'}`,
      Labels: whole(classes),
      Output: head,
    }}
  />
);

export const ImagesShown = ({ facts }: { readonly facts: ImageFacts }) => {
  const { count, labelled, skipped, pictures } = facts;
  return (
    <>
      <Facts
        of={{
          Images: whole(count),
          Labels: labelled ? 'known' : 'none: the check is weaker without',
          'Left out': skipped > 0 ? counted(skipped, 'file') : undefined,
        }}
      />
      <ul class="few">
        {pictures.map((picture, i) => (
          <li key={i}>
            <Pixels picture={picture} alt={`Image ${i + 1} of ${pictures.length} shown`} />
          </li>
        ))}
      </ul>
    </>
  );
};
