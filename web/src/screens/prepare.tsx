/** The first screen: give a model and images, see that they fit, start. */

import { Brand } from '../parts/brand.tsx';
import { ErrorNote } from '../parts/error-note.tsx';
import { FileField } from '../parts/file-field.tsx';
import { Title } from '../parts/title.tsx';
import type { Session } from '../session.ts';
import { CheckSection } from './check.tsx';
import { ImagesShown, ModelShown } from './inputs-shown.tsx';
import { KeptRunSection } from './kept-run.tsx';
import { OpenSavedRun } from './open-saved.tsx';
import { ServedRuns } from './served-runs.tsx';

export function PrepareScreen({ session }: { readonly session: Session }) {
  const { model, data, modelFacts, imageFacts, busy, errors, kept, served } = session.state;
  const untouched = !model && !data;
  return (
    <>
      <Brand>
        <OpenSavedRun session={session} />
      </Brand>
      <header class="head">
        <div class="page">
          <Title tab="Neural Cleanse">Does this image classifier hide a backdoor?</Title>
          <p class="sentence">
            For every label, the scan searches the smallest patch that turns other images into it. A label
            that needs hardly any patch has a shortcut, as backdoors leave them.
          </p>
          <p class="promise">
            Model and images are read inside this tab. Nothing is sent anywhere; the page could not even if it
            tried.
          </p>
        </div>
      </header>
      <main class="page prepare">
        <ErrorNote error={errors.open ?? errors.scan} />
        {kept && <KeptRunSection session={session} kept={kept} />}
        <div class="fields">
          <FileField
            id="model"
            title="Model"
            invitation="Drop an ONNX, Keras (.h5, .keras) or TensorFlow.js model here."
            accept=".onnx,.h5,.hdf5,.keras,.json,.bin,.data"
            given={model}
            busy={busy === 'model' ? 'Reading the model…' : undefined}
            onGiven={(given) => session.giveModel(given)}
          >
            <ErrorNote error={errors.model} />
            {modelFacts && <ModelShown facts={modelFacts} />}
          </FileField>
          <FileField
            id="images"
            title="Clean images"
            invitation="Drop a few hundred images with labels here: class folders, .npz, .h5, zip, Parquet, IDX or CIFAR."
            folders
            given={data}
            busy={imagesBusy(session)}
            onGiven={(given) => session.giveImages(given)}
          >
            <ErrorNote error={errors.images} />
            {imageFacts && <ImagesShown facts={imageFacts} />}
          </FileField>
        </div>
        {untouched && (
          <section class="sample">
            <p>
              <strong>Nothing at hand?</strong> Handwritten digits, and a network that was taught to answer 7
              wherever it sees a certain patch.
            </p>
            <button type="button" onClick={() => void session.trySample()}>
              Try the sample
            </button>
          </section>
        )}
        <CheckSection session={session} />
        {served && <ServedRuns session={session} runs={served} />}
      </main>
    </>
  );
}

function imagesBusy({ state: { busy, data, modelFacts, errors } }: Session): string | undefined {
  if (busy === 'images') return 'Reading the images…';
  return data && !modelFacts && !errors.model
    ? 'Waiting for the model, whose size they are brought to.'
    : undefined;
}
