/** The forms that a result can be written in, and what they are called in the run folder. */

export const reportFormats = ['text', 'json', 'html', 'sarif', 'junit'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export const reportFiles: Readonly<Record<ReportFormat, string>> = {
  text: 'scan.txt',
  json: 'scan.json',
  html: 'report.html',
  sarif: 'scan.sarif',
  junit: 'junit.xml',
};

/** What a run folder is called, unless the user names it: models of one name are told apart by their hash. */
export const runFolderName = (modelFile: string, modelSha256: string, seed: number): string =>
  `${modelFile.replace(/(?<=.)\.[^.]*$/, '')}-${modelSha256.slice(0, 8)}-${seed}`;
