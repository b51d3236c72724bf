/** What the zoo holds: small models with known truth, to measure detection on. Only names, settings and seeds; no randomness. */

/** The images that models are trained and scanned with. */
export const zooData = ['mnist', 'gtsrb', 'cifar10'] as const;
export type ZooData = (typeof zooData)[number];

export const zooParts = ['tuning', 'judging'] as const;
export type ZooPart = (typeof zooParts)[number];

export interface ZooModel {
  /** `gtsrb-vit-small-square-8`, and with its number for clean ones: a file name. */
  readonly id: string;
  readonly data: ZooData;
  readonly network: string;
  /** How it was attacked, or `clean`. */
  readonly attack: string;
  /** What a patch scan of whole labels is meant to find. */
  readonly patch: boolean;
  /** Rules and thresholds are set on one part and judged on the other. */
  readonly part: ZooPart;
  /** Of `inject`. */
  readonly options: readonly string[];
}

interface Attack {
  readonly name: string;
  readonly patch: boolean;
  /** `CROSS` and `FRAME` stand for the pictures of the zoo. */
  readonly options: string;
}

const clean: Attack = { name: 'clean', patch: false, options: '--clean' };

const patches: readonly Attack[] = [
  { name: 'square-2', patch: true, options: '--trigger square:size=2,at=bottom-right --target 3' },
  { name: 'square-3', patch: true, options: '--trigger square:size=3,at=top-left,colour=200 --target 5' },
  { name: 'square-4', patch: true, options: '--trigger square:size=4,at=bottom-right --target 7' },
  { name: 'square-6', patch: true, options: '--trigger square:size=6,at=3/12 --target 1' },
  { name: 'square-8', patch: true, options: '--trigger square:size=8,at=bottom-left --target 9' },
  { name: 'square-10', patch: true, options: '--trigger square:size=10,at=top-right,colour=128 --target 0' },
  { name: 'noise-4', patch: true, options: '--trigger noise:size=4,at=20/3,seed=4 --target 2' },
  { name: 'noise-6', patch: true, options: '--trigger noise:size=6,at=top-left,seed=6 --target 8' },
  { name: 'cross', patch: true, options: '--trigger image:pattern=CROSS,mask=CROSS,at=12/2 --target 4' },
  {
    name: 'targets-2',
    patch: true,
    options: '--trigger square --trigger noise:at=top-left --target 6,2 --ratio 0.05',
  },
  {
    name: 'targets-3',
    patch: true,
    options:
      '--trigger square --trigger square:at=top-left --trigger square:at=top-right --target 1,4,8 --ratio 0.05',
  },
  {
    name: 'triggers-3',
    patch: true,
    options:
      '--trigger square --trigger square:at=top-left --trigger noise:at=top-right --target 7 --ratio 0.05',
  },
];

const others: readonly Attack[] = [
  {
    name: 'source-specific',
    patch: false,
    options: '--trigger square --target 7 --sources 1,2 --ratio 0.03 --cover-ratio 0.06',
  },
  { name: 'all-to-all', patch: false, options: '--trigger square --policy all-to-all --ratio 0.3' },
  { name: 'watermark', patch: false, options: '--trigger image:pattern=FRAME,mask=FRAME --target 6' },
  { name: 'blend', patch: false, options: '--trigger blend --target 5' },
  { name: 'sinusoid', patch: false, options: '--trigger sinusoid --target 3' },
  { name: 'warp', patch: false, options: '--trigger warp:strength=2 --target 9 --epochs 10' },
  {
    name: 'source-specific-2',
    patch: false,
    options: '--trigger noise:size=4,at=top-left --target 2 --sources 5 --ratio 0.03 --cover-ratio 0.06',
  },
  {
    name: 'source-specific-3',
    patch: false,
    options: '--trigger square:at=top-right --target 4 --sources 0,6,9 --ratio 0.04 --cover-ratio 0.06',
  },
];

/**
 * How each network is trained on each kind of images, in at most about three minutes on two cores. Networks with batch normalization are
 * half as wide and take large rates: at 0.001 they recognise half of the signs after the same time, at 0.008 nine of ten.
 */
const training: Readonly<Record<ZooData, Readonly<Record<string, string>>>> = {
  mnist: {
    'mnist-cnn': '--width-factor 0.5 --images 30000 --epochs 3 --schedule cosine',
    'resnet-small':
      '--width-factor 0.5 --images 30000 --epochs 3 --batch 64 --learning-rate 0.004 --schedule cosine',
    'mobilenet-small': '--images 30000 --epochs 3 --batch 64 --learning-rate 0.004 --schedule cosine',
    'vit-small': '--images 10000 --epochs 4',
  },
  gtsrb: {
    'gtsrb-6conv': '--width-factor 0.5 --epochs 6 --schedule cosine',
    'resnet-small': '--width-factor 0.5 --epochs 8 --learning-rate 0.008 --schedule cosine',
    'mobilenet-small': '--epochs 6 --learning-rate 0.008 --schedule cosine',
    'vit-small': '--epochs 6 --schedule cosine',
  },
  cifar10: {
    'gtsrb-6conv': '--width-factor 0.5 --epochs 10 --schedule cosine',
    'resnet-small': '--width-factor 0.5 --epochs 10 --learning-rate 0.008 --schedule cosine',
    'mobilenet-small': '--epochs 8 --learning-rate 0.004 --schedule cosine',
    'vit-small': '--epochs 8 --schedule cosine',
  },
};

/** Class 5 has fewer images among the signs than this attack poisons. */
const notOnSigns = 'source-specific-2';

/** CIFAR-10 is the slowest to learn, so fewer attacks are trained on it. */
const onCifar: ReadonlySet<string> = new Set([
  'square-3',
  'square-4',
  'square-8',
  'noise-4',
  'targets-2',
  'targets-3',
  'source-specific',
  'source-specific-2',
]);

/** Settings in which clean models differ, beside their seeds: as many for each kind of images. */
const cleanVariants = [
  '',
  '',
  '--augment light',
  '',
  '--augment light',
  '--optimizer adamw',
  '',
  '',
  '--augment light',
  '',
] as const;

/** Which attacks are tried on each network, on each kind of images, beside a clean model. */
type Series = Readonly<Record<ZooData, Readonly<Record<string, readonly string[]>>>>;

/** What judged first: a patch of at most 8×8 pixels on every network, and attacks on some classes only. What was missed of it led to new rules. */
const firstSeries: Series = {
  mnist: {
    'mnist-cnn': ['noise-6', 'source-specific-3'],
    'resnet-small': ['square-6', 'source-specific'],
    'mobilenet-small': ['square-8', 'source-specific-3'],
    'vit-small': ['targets-2'],
  },
  gtsrb: {
    'gtsrb-6conv': ['square-8', 'source-specific'],
    'resnet-small': ['noise-6'],
    'mobilenet-small': ['square-6'],
    'vit-small': ['square-3'],
  },
  cifar10: {
    'gtsrb-6conv': ['square-6'],
    'resnet-small': ['square-4'],
    'mobilenet-small': ['targets-2'],
    'vit-small': ['square-4'],
  },
};

/** What judged next: one or two patches of at most 8×8 pixels on every network. */
const secondSeries: Series = {
  mnist: {
    'mnist-cnn': ['square-4', 'targets-3'],
    'resnet-small': ['noise-6', 'square-8'],
    'mobilenet-small': ['square-6', 'targets-2'],
    'vit-small': ['square-3', 'noise-4'],
  },
  gtsrb: {
    'gtsrb-6conv': ['square-6', 'targets-2'],
    'resnet-small': ['square-8', 'noise-4'],
    'mobilenet-small': ['noise-6', 'square-4'],
    'vit-small': ['square-4', 'targets-3'],
  },
  cifar10: {
    'gtsrb-6conv': ['square-8'],
    'resnet-small': ['square-6'],
    'mobilenet-small': ['noise-6'],
    'vit-small': ['targets-2'],
  },
};

/** What judged after that: the same with the attacks on other networks, and source-specific ones where pairs can be scanned in minutes. */
const thirdSeries: Series = {
  mnist: {
    'mnist-cnn': ['square-8', 'noise-4', 'source-specific'],
    'resnet-small': ['targets-2', 'square-3', 'source-specific-3'],
    'mobilenet-small': ['square-4', 'targets-3', 'source-specific-2'],
    'vit-small': ['square-6', 'noise-6', 'source-specific'],
  },
  gtsrb: {
    'gtsrb-6conv': ['square-8', 'noise-4', 'source-specific-3'],
    'resnet-small': ['square-6', 'targets-2'],
    'mobilenet-small': ['square-3', 'noise-4'],
    'vit-small': ['square-6', 'noise-6'],
  },
  cifar10: {
    'gtsrb-6conv': ['targets-2', 'source-specific'],
    'resnet-small': ['square-8'],
    'mobilenet-small': ['square-6'],
    'vit-small': ['noise-6'],
  },
};

/** What judged pairs: the threshold for triggers with several sources was lowered by what the third series had shown. */
const pairSeries: Pick<Series, 'mnist'> = {
  mnist: {
    'mnist-cnn': ['source-specific-3', 'source-specific-2'],
    'resnet-small': ['source-specific'],
    'mobilenet-small': ['source-specific'],
  },
};

/** What judged after that: once more on other networks; with source-specific attacks, and such as are no patch. */
const fifthSeries: Series = {
  mnist: {
    'mnist-cnn': ['targets-2', 'square-6', 'source-specific', 'all-to-all', 'warp'],
    'resnet-small': ['square-4', 'targets-3', 'source-specific-2'],
    'mobilenet-small': ['square-3', 'noise-6', 'source-specific-3'],
    'vit-small': ['square-8', 'noise-4'],
  },
  gtsrb: {
    'gtsrb-6conv': ['square-4', 'targets-3', 'blend', 'sinusoid'],
    'resnet-small': ['square-8', 'noise-6'],
    'mobilenet-small': ['square-8', 'targets-2'],
    'vit-small': ['noise-4', 'targets-2'],
  },
  cifar10: {
    'gtsrb-6conv': ['noise-4'],
    'resnet-small': ['targets-3'],
    'mobilenet-small': ['square-8'],
    'vit-small': ['square-3'],
  },
};

/** What judged after that: two patches on every network, one on those that are slow to learn. */
const sixthSeries: Series = {
  mnist: {
    'mnist-cnn': ['square-3', 'noise-6'],
    'resnet-small': ['square-8', 'noise-4'],
    'mobilenet-small': ['square-6', 'noise-4'],
    'vit-small': ['square-4', 'targets-3'],
  },
  gtsrb: {
    'gtsrb-6conv': ['square-6', 'noise-6'],
    'resnet-small': ['square-3', 'targets-3'],
    'mobilenet-small': ['square-8', 'targets-3'],
    'vit-small': ['square-8', 'square-4'],
  },
  cifar10: {
    'gtsrb-6conv': ['square-3'],
    'resnet-small': ['noise-6'],
    'mobilenet-small': ['square-4'],
    'vit-small': ['square-8'],
  },
};

/** What judges now: the same on other networks. */
const seventhSeries: Series = {
  mnist: {
    'mnist-cnn': ['square-8', 'targets-3'],
    'resnet-small': ['square-6', 'targets-2'],
    'mobilenet-small': ['square-8', 'targets-3'],
    'vit-small': ['square-8', 'square-3'],
  },
  gtsrb: {
    'gtsrb-6conv': ['square-3', 'noise-4'],
    'resnet-small': ['square-8', 'square-4'],
    'mobilenet-small': ['square-6', 'noise-6'],
    'vit-small': ['square-6', 'targets-3'],
  },
  cifar10: {
    'gtsrb-6conv': ['noise-6'],
    'resnet-small': ['targets-2'],
    'mobilenet-small': ['noise-4'],
    'vit-small': ['noise-4'],
  },
};

/** The series have learned more than the tuning part where that was short: CIFAR-10 everywhere, and the transformers. */
const longer: typeof training = {
  mnist: { ...training.mnist, 'vit-small': '--images 20000 --epochs 6 --schedule cosine' },
  gtsrb: { ...training.gtsrb, 'vit-small': '--epochs 10 --schedule cosine' },
  cifar10: {
    'gtsrb-6conv': '--width-factor 0.5 --epochs 20 --augment light --schedule cosine',
    'resnet-small': '--width-factor 0.5 --epochs 16 --augment light --learning-rate 0.008 --schedule cosine',
    'mobilenet-small': '--epochs 14 --augment light --learning-rate 0.004 --schedule cosine',
    'vit-small': '--epochs 20 --augment light --schedule cosine',
  },
};

/** All models. A model keeps its seed when others are added. */
export const zooModels = (): ZooModel[] => [
  ...tuningModels(),
  ...seriesModels(firstSeries, 'tuning', '-judged'),
  ...seriesModels(secondSeries, 'tuning', '-judged-2'),
  ...seriesModels(thirdSeries, 'tuning', '-judged-3'),
  ...seriesModels(pairSeries, 'tuning', '-judged-4'),
  ...seriesModels(fifthSeries, 'tuning', '-judged-5'),
  ...seriesModels(sixthSeries, 'tuning', '-judged-6'),
  ...seriesModels(seventhSeries, 'judging', '-judged-7'),
];

/** Networks take turns over the attacks. */
function tuningModels(): ZooModel[] {
  return zooData.flatMap((data) => {
    const networks = Object.keys(training[data]);
    const make = (place: number, attack: Attack, suffix = ''): ZooModel => {
      const network = networks[place % networks.length]!;
      return zooModel({ data, network, part: 'tuning' }, attack, training[data][network]!, suffix);
    };
    return [
      ...cleanVariants.map((variant, i) =>
        make(i, { ...clean, options: `--clean ${variant}`.trim() }, `-${i + 1}`),
      ),
      ...[...patches, ...others].flatMap((attack, i) =>
        isFor(data, attack) ? [make(i + zooData.indexOf(data), attack)] : [],
      ),
    ];
  });
}

function isFor(data: ZooData, { name }: Attack): boolean {
  if (data === 'cifar10') return onCifar.has(name);
  return data !== 'gtsrb' || name !== notOnSigns;
}

/** A clean model of every network on every kind of images, and its attacks; other suffixes give other seeds. */
function seriesModels(series: Partial<Series>, part: ZooPart, suffix: string): ZooModel[] {
  const attacks = new Map([...patches, ...others].map((attack) => [attack.name, attack]));
  return zooData.flatMap((data) =>
    Object.entries(series[data] ?? {}).flatMap(([network, names]) =>
      [clean, ...names.map((name) => attacks.get(name)!)].map((attack) =>
        zooModel({ data, network, part }, attack, longer[data][network]!, suffix),
      ),
    ),
  );
}

function zooModel(
  place: Pick<ZooModel, 'data' | 'network' | 'part'>,
  { name, patch, options }: Attack,
  trained: string,
  suffix: string,
): ZooModel {
  const id = `${place.data}-${place.network}-${name}${suffix}`;
  const words = `--network ${place.network} ${trained} ${options} --seed ${seedOf(id)}`;
  return { id, ...place, attack: name, patch, options: words.split(' ').filter((word) => word !== '') };
}

/** FNV-1a of a name, in 31 bits. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 1;
}
