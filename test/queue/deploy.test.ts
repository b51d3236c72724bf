import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { defaultPrefix } from '../../src/cli/queue-options.ts';
import { uiCommand } from '../../src/cli/ui.ts';
import { workerCommand } from '../../src/cli/worker.ts';
import { queueName } from '../../src/queue/job.ts';

const text = (path: string): string => readFileSync(join('deploy', path), 'utf8');
const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

/** Parses the words of a command without running it. */
function check(words: readonly string[]): void {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const command of [workerCommand(program), uiCommand(program)]) {
    command.exitOverride().action(() => undefined);
  }
  program.parse(words, { from: 'user' });
}

describe('the compose file', () => {
  const { services } = parse(text('compose.yaml'), { merge: true });

  it('has Redis, workers, the web app and a scan', () => {
    expect(Object.keys(services)).toEqual(['redis', 'worker', 'ui', 'scan']);
    expect(services.worker.environment.NEURAL_CLEANSE_REDIS).toContain('@redis:6379');
    expect(services.scan.entrypoint).toEqual(['neural-cleanse', 'scan', '--queue', 'env']);
  });

  it.each(['worker', 'ui'])('starts %s with options that it has', (name) => {
    expect(services[name].command[0]).toBe(name);
    check(services[name].command);
  });
});

describe('the manifests for Kubernetes', () => {
  const names = readdirSync('deploy/kubernetes');
  const documents = names.flatMap((name) =>
    parseAllDocuments(text(join('kubernetes', name))).map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS();
    }),
  );
  const ofKind = (kind: string, name = 'worker') =>
    documents.find((document) => document.kind === kind && (document.metadata?.name ?? 'worker') === name);

  it('are all in the list', () => {
    expect([...ofKind('Kustomization').resources, 'kustomization.yaml'].toSorted()).toEqual(names.toSorted());
  });

  it('start the worker of this version, with options that it has', () => {
    check(ofKind('Deployment').spec.template.spec.containers[0].args);
    expect(ofKind('Kustomization').images[0].newTag).toBe(version);
  });

  it('let a worker finish its jobs before it is killed', () => {
    const { terminationGracePeriodSeconds, containers } = ofKind('Deployment').spec.template.spec;
    const { args } = containers[0];
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number(args[args.indexOf('--grace') + 1]));
  });

  it('scale it by the lists that the queue has', () => {
    const edition = { version, onnxruntime: dependencies['onnxruntime-common'], provider: 'cpu' } as const;
    const { scaleTargetRef, triggers } = ofKind('ScaledObject').spec;
    expect(ofKind('Deployment', scaleTargetRef.name)).toBeDefined();
    expect(triggers.map(({ metadata }: { metadata: { listName: string } }) => metadata.listName)).toEqual(
      ['wait', 'active'].map((list) => `${defaultPrefix}:${queueName(edition)}:${list}`),
    );
  });
});

describe('the image', () => {
  it('is made of files that are there', () => {
    const ignored = text('Dockerfile.dockerignore').trim().split('\n');
    const copied = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const there = readdirSync('.');
    expect(copied.filter((name) => !there.includes(name))).toEqual([]);
    for (const name of /^COPY (?!--)(.+) \.\/$/m.exec(text('Dockerfile'))![1]!.split(' ')) {
      expect(copied).toContain(name);
    }
  });
});
