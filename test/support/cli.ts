import { cleanEnv, type Ended, ensureBuilt, node, runJs, runToEnd, temporaryFolder } from './built';

export interface NetctlOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
}

/** The built CLI with a home of its own: no inventory, no settings of the person who runs the tests. */
export function cliFor(settings: Readonly<Record<string, string>>): {
  readonly home: string;
  readonly netctl: (argv: readonly string[], options?: NetctlOptions) => Promise<Ended>;
  /** The document of a run with `-o json`. */
  readonly json: (argv: readonly string[], options?: NetctlOptions) => Promise<Record<string, unknown>>;
  readonly remove: () => void;
} {
  ensureBuilt();
  const { path: home, remove } = temporaryFolder();
  const netctl = (argv: readonly string[], options: NetctlOptions = {}): Promise<Ended> =>
    runToEnd([node, runJs, ...argv], {
      env: cleanEnv(home, { ...settings, ...options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    });
  const json = async (argv: readonly string[], options?: NetctlOptions): Promise<Record<string, unknown>> => {
    const { stdout, stderr } = await netctl([...argv, '-o', 'json'], options);
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`netctl ${argv.join(' ')} printed no JSON\nstdout: ${stdout}\nstderr: ${stderr}`);
    }
  };
  return { home, netctl, json, remove };
}
