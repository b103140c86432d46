import { stat } from 'node:fs/promises';
import { type ExitCode, InvalidInput } from '../errors';
import { daemonJsonPart, dockerdFlagWords, mkDockerOpts } from '../net/docker-options';
import { newestFlannel, parseFlannelVersion } from '../net/flannel-version';
import type { Problem } from '../net/problem';
import { parseSubnetEnv } from '../net/subnet-env';
import { problemLine } from '../view/problem-line';
import type { NodeSubnetEnv } from './node-subnet-env';
import { readInput } from './read-input';
import { writeTextFile } from './write-file';

/** The flags of `netctl docker options`. */
export interface DockerOptionsFlags {
  readonly from?: string | undefined;
  readonly style: 'env' | 'json' | 'flags';
  readonly 'flannel-env'?: string | undefined;
  readonly 'docker-env'?: string | undefined;
  readonly individual?: boolean | undefined;
  readonly combined?: boolean | undefined;
  readonly 'without-ip-masq'?: boolean | undefined;
  readonly 'combined-key'?: string | undefined;
  readonly routes?: string | undefined;
  readonly flannel?: string | undefined;
}

export interface DockerOptionsText {
  /** Null when mk-docker-opts.sh would end before it writes. Written already when `-d` names a file. */
  readonly text: string | null;
  readonly exitCode: ExitCode;
  /** For the person, one a line. */
  readonly notes: readonly string[];
}

/**
 * @param node what was read on a node, instead of a file of this machine
 * @throws InvalidInput `env-style-only`, `needs-a-shell`, `subnet-env-…`, and what reading and writing files throws
 */
export async function dockerOptionsText(
  flags: DockerOptionsFlags,
  environment: NodeJS.ProcessEnv,
  node?: NodeSubnetEnv,
): Promise<DockerOptionsText> {
  const made = flags.style === 'env' ? await asScript(flags, environment, node) : await asData(flags, node);
  const file = flags['docker-env'];
  if (file !== undefined && made.text !== null) {
    const mode = await stat(file).then(
      (found) => found.mode & 0o777,
      () => 0o644,
    );
    await writeTextFile(file, made.text, { mode, force: true });
  }
  return made;
}

async function asScript(
  flags: DockerOptionsFlags,
  environment: NodeJS.ProcessEnv,
  node: NodeSubnetEnv | undefined,
): Promise<DockerOptionsText> {
  const text =
    node !== undefined
      ? node.text
      : flags.from === undefined
        ? await asTheScriptReads(flags)
        : (await readInput(flags.from)).toString('utf8');
  if (text instanceof Error) return { text: null, exitCode: 2, notes: [text.message] };
  const key = flags['combined-key'];
  const routes = flags.routes === undefined ? node?.routes : (await readInput(flags.routes)).toString('utf8');
  const result = mkDockerOpts(text, {
    ...(flags.individual === true ? { individual: true } : {}),
    ...(flags.combined === true ? { combined: true } : {}),
    ...(flags['without-ip-masq'] === true ? { ipMasq: false } : {}),
    ...(key === undefined ? {} : { key }),
    ...(routes === undefined ? {} : { routes }),
    // Variables of this machine are not those that the script would inherit there.
    environment: node === undefined ? environment : {},
    flannel: flags.flannel === undefined ? (node?.version ?? newestFlannel) : parseFlannelVersion(flags.flannel),
  });
  return {
    text: result.text,
    exitCode: result.exitCode,
    notes: result.stderr === '' ? [] : result.stderr.trimEnd().split('\n'),
  };
}

/** Null for a file that is not there, as `[ -f FILE ]` has it; an error where `. FILE` fails. */
async function asTheScriptReads(flags: DockerOptionsFlags): Promise<string | Error | null> {
  const file = flags['flannel-env'] ?? '/run/flannel/subnet.env';
  const isFile = await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) return null;
  // A shell looks for such a name in PATH, and does not find it.
  if (!file.includes('/')) return new Error(`.: ${file}: not found; write ./${file}, or --from ${file}`);
  return (await readInput(file)).toString('utf8');
}

async function asData(flags: DockerOptionsFlags, node: NodeSubnetEnv | undefined): Promise<DockerOptionsText> {
  const letters = (['individual', 'combined', 'combined-key', 'routes'] as const).filter(
    (name) => flags[name] !== undefined && flags[name] !== false,
  );
  const [letter] = letters;
  if (letter !== undefined) {
    throw new InvalidInput({
      code: 'env-style-only',
      message: `--${letter} belongs to --style env; --style ${flags.style} has no variables`,
      next: [`netctl docker options --style ${flags.style}`, `netctl docker options --${letter} --style env`],
    });
  }
  const path = flags.from ?? flags['flannel-env'] ?? '/run/flannel/subnet.env';
  const file = node === undefined ? path : `${node.node}: ${node.path}`;
  const { env, problems } = parseSubnetEnv(node?.text ?? (await readInput(path)).toString('utf8'));
  const [error] = problems.filter(({ severity }) => severity === 'error');
  if (error !== undefined) throw unusable(file, error);
  const part = daemonJsonPart(env, flags['without-ip-masq'] === true ? { ipMasq: false } : {});
  const notes = problems.map(problemLine);
  const text = flags.style === 'json' ? JSON.stringify(part, null, 2) : dockerdFlagWords(part).join(' ');
  return { text: `${text}\n`, exitCode: 0, notes };
}

function unusable(file: string, { code, message, suggestion }: Problem): InvalidInput {
  return new InvalidInput({
    code,
    message: `${file === '-' ? 'standard input' : file}: ${message}`,
    next: suggestion === null ? [] : [suggestion],
  });
}
