import { countOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, unknown } from './fact';

/** A systemd unit as `systemctl show` tells it. */
export interface Unit {
  /** As it was asked for. */
  readonly name: string;
  /** systemd's own name for it; differs for an alias. */
  readonly id: string;
  /** `loaded`, `not-found`, `masked`, `error`, … */
  readonly loadState: string;
  readonly isFound: boolean;
  /** `active`, `inactive`, `failed`, `activating`, … */
  readonly activeState: string;
  /** `running`, `dead`, `auto-restart`, … */
  readonly subState: string;
  /** `enabled`, `disabled`, `static`, …; `''` when systemd does not say. */
  readonly unitFileState: string;
  /** `success`, `exit-code`, `dependency`, … */
  readonly result: string;
  /** Of the last run; flanneld that lost its lease leaves 0 behind. */
  readonly execMainStatus: number | null;
  /** Null before systemd 235 and for what is no service. */
  readonly restartCount: number | null;
  readonly restart: string;
  readonly type: string;
  readonly mainPid: number | null;
  readonly requires: readonly string[];
  readonly requisite: readonly string[];
  readonly bindsTo: readonly string[];
  readonly partOf: readonly string[];
  readonly wants: readonly string[];
  readonly after: readonly string[];
  readonly before: readonly string[];
  /** Who would be stopped with it: the other ends of Requires, BindsTo and PartOf. */
  readonly requiredBy: readonly string[];
  readonly boundBy: readonly string[];
  readonly consistsOf: readonly string[];
  readonly wantedBy: readonly string[];
  readonly fragmentPath: string | null;
  readonly dropInPaths: readonly string[];
  readonly environmentFiles: readonly { readonly path: string; readonly isOptional: boolean }[];
  /** `ExecStartPre`, `ExecStart` and `ExecStartPost`: the words as they stand in the unit, variables not replaced. */
  readonly execStartPre: readonly string[];
  readonly execStart: readonly string[];
  readonly execStartPost: readonly string[];
  /** Files changed since systemd read them. */
  readonly needsReload: boolean;
  /** Seconds after boot; null when it never ran. */
  readonly startedAfterBootSeconds: number | null;
}

const properties = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'Result',
  'ExecMainStatus',
  'NRestarts',
  'Restart',
  'Type',
  'MainPID',
  'Requires',
  'Requisite',
  'BindsTo',
  'PartOf',
  'Wants',
  'After',
  'Before',
  'RequiredBy',
  'BoundBy',
  'ConsistsOf',
  'WantedBy',
  'FragmentPath',
  'DropInPaths',
  'EnvironmentFiles',
  'ExecStartPre',
  'ExecStart',
  'ExecStartPost',
  'NeedDaemonReload',
  'ExecMainStartTimestampMonotonic',
];

const propertyNames = new Set(properties);

/**
 * @param names with their suffix (`docker.service`); one that is not there is found to be `not-found`
 */
export function units(names: readonly string[]): Fact<ReadonlyMap<string, Unit>> {
  return {
    name: `units ${names.join(' ')}`,
    command: {
      argv: ['systemctl', 'show', '--no-pager', `--property=${properties.join(',')}`, '--', ...names],
      maxOutputBytes: 64 * 1024 * Math.max(1, names.length),
    },
    requires: { root: 'none', programs: [['systemctl']] },
    parse(output) {
      if (output.code !== 0) return whyFailed('systemctl', output);
      // One block a unit, in the order of the names, parted by an empty line.
      const blocks = answerText(output.stdout).trimEnd().split('\n\n');
      if (blocks.length !== names.length)
        return unknown(`systemctl told of ${blocks.length} units, not of ${names.length}`);
      return known(new Map(names.map((name, index) => [name, unitOf(name, blocks[index] ?? '')])));
    },
  };
}

function unitOf(name: string, block: string): Unit {
  const fields = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const line of block.split('\n')) {
    const equals = line.indexOf('=');
    const property = line.slice(0, Math.max(equals, 0));
    if (propertyNames.has(property)) {
      last = fields.get(property) ?? [];
      last.push(line.slice(equals + 1));
      fields.set(property, last);
    } else if (last !== undefined) last.push(`${last.pop() ?? ''}\n${line}`);
  }
  const text = (property: string): string => fields.get(property)?.[0] ?? '';
  const word = (property: string): string => (/^[\w@.:-]{0,255}$/.test(text(property)) ? text(property) : '');
  const list = (property: string): readonly string[] =>
    text(property)
      .split(' ')
      .filter((item) => item !== '' && /^[\w@.:\\-]{1,255}$/.test(item));
  const paths = (property: string): readonly string[] => splitPaths(text(property));
  const pid = countOf(text('MainPID'));
  const started = countOf(text('ExecMainStartTimestampMonotonic'));
  const loadState = word('LoadState');
  return {
    name,
    id: word('Id'),
    loadState,
    isFound: loadState !== 'not-found' && loadState !== '',
    activeState: word('ActiveState'),
    subState: word('SubState'),
    unitFileState: word('UnitFileState'),
    result: word('Result'),
    execMainStatus: countOf(text('ExecMainStatus')) ?? null,
    restartCount: countOf(text('NRestarts')) ?? null,
    restart: word('Restart'),
    type: word('Type'),
    mainPid: pid === undefined || pid === 0 ? null : pid,
    requires: list('Requires'),
    requisite: list('Requisite'),
    bindsTo: list('BindsTo'),
    partOf: list('PartOf'),
    wants: list('Wants'),
    after: list('After'),
    before: list('Before'),
    requiredBy: list('RequiredBy'),
    boundBy: list('BoundBy'),
    consistsOf: list('ConsistsOf'),
    wantedBy: list('WantedBy'),
    fragmentPath: paths('FragmentPath')[0] ?? null,
    dropInPaths: paths('DropInPaths'),
    environmentFiles: (fields.get('EnvironmentFiles') ?? []).flatMap((line) => {
      const match = /^(\/.{1,4095}?) \(ignore_errors=(yes|no)\)$/.exec(line);
      return match?.[1] === undefined ? [] : [{ path: match[1], isOptional: match[2] === 'yes' }];
    }),
    execStartPre: commandsOf(fields.get('ExecStartPre')),
    execStart: commandsOf(fields.get('ExecStart')),
    execStartPost: commandsOf(fields.get('ExecStartPost')),
    needsReload: text('NeedDaemonReload') === 'yes',
    startedAfterBootSeconds: started === undefined || started === 0 ? null : Math.floor(started / 1e6),
  };
}

/** systemd parts paths by a blank and writes a blank within one as `\ ` or `\x20`. */
function splitPaths(text: string): readonly string[] {
  return (text.match(/(?:[^ \\]|\\.)+/g) ?? [])
    .map((path) => path.replaceAll('\\x20', ' ').replaceAll(/\\(.)/g, '$1'))
    .filter((path) => path.startsWith('/'));
}

/** `{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// ; ignore_errors=no ; … }`: the words in the middle. */
function commandsOf(lines: readonly string[] | undefined): readonly string[] {
  const head = ' ; argv[]=';
  return (lines ?? []).flatMap((line) => {
    const start = line.indexOf(head);
    // `flags=` in ExecStartEx.
    const end = Math.max(line.lastIndexOf(' ; ignore_errors='), line.lastIndexOf(' ; flags='));
    return !line.startsWith('{ path=') || start < 0 || end < start + head.length
      ? []
      : [line.slice(start + head.length, end)];
  });
}
