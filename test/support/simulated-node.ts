import { createHash } from 'node:crypto';
import { known } from '../../src/lib/fact/fact';
import type { FileState } from '../../src/lib/fact/files';
import { parseIptablesSave, ruleWords } from '../../src/lib/fact/iptables-save';
import type { Link } from '../../src/lib/fact/links';
import type { NftTable } from '../../src/lib/fact/nft-tables';
import type { Process } from '../../src/lib/fact/processes';
import type { ResetAnswers, ResetQuestions } from '../../src/lib/fact/reset-facts';
import type { Route } from '../../src/lib/fact/routes';
import { isWrittenByNetctl } from '../../src/lib/net/written-by-netctl';
import type { HostChange, NodeStep } from '../../src/lib/plan/host-change';
import { dockerNetwork, link, nodeSeen, route, unit } from './node-seen';

interface Thing {
  readonly kind: 'file' | 'link' | 'folder';
  readonly mode: number;
  readonly content: Uint8Array;
  readonly target: string | null;
}

/**
 * A node that does what a plan says, as far as a plan for resetting or routing can go: files, links and folders, rules, routes, devices,
 * units, and a Docker that gives docker0 the address of daemon.json, or of its last start.
 */
export class SimulatedNode {
  readonly things = new Map<string, Thing>();
  readonly units = new Map<string, { active: boolean; enabled: boolean }>();
  /** By table; a rule from `-A` on, and `:CHAIN` for a chain. */
  readonly rules: { nat: string[]; filter: string[] };
  routes: Route[];
  devices: Link[] = [];
  nftTables: NftTable[] = [];
  flanneld: Process[] = [];
  containers: string[] = [];
  docker0 = '172.17.0.1/16';
  mtu = 1500;
  readonly address: string;

  constructor(address: string) {
    this.address = address;
    this.routes = [route('default', { via: '10.4.7.254', dev: 'eth0' }), this.#kernelRoute('10.4.7.0/24', 'eth0')];
    this.rules = {
      nat: ['-A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE'],
      filter: [':DOCKER-USER', '-A FORWARD -j DOCKER-USER', '-A FORWARD -s 10.9.9.0/24 -j ACCEPT'],
    };
    this.units.set('docker.service', { active: true, enabled: true });
  }

  #kernelRoute(range: string, device: string): Route {
    return route(range, { dev: device, protocol: 'kernel' });
  }

  put(path: string, content: string | Uint8Array, mode = 0o644): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.things.set(path, { kind: 'file', mode, content: bytes, target: null });
  }

  link(path: string, target: string): void {
    this.things.set(path, { kind: 'link', mode: 0o777, content: new Uint8Array(), target });
  }

  text(path: string): string | null {
    const thing = this.things.get(path);
    return thing?.kind === 'file' ? Buffer.from(thing.content).toString('utf8') : null;
  }

  /** Everything that a person would compare before and after. */
  snapshot(): unknown {
    const { rules, routes, devices, nftTables, docker0, mtu } = this;
    return structuredClone({
      things: [...this.things].sort(([a], [b]) => (a < b ? -1 : 1)),
      units: [...this.units]
        .filter(([, { active, enabled }]) => active || enabled)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      rules,
      routes,
      devices,
      nftTables,
      docker0,
      mtu,
    });
  }

  apply(steps: readonly NodeStep[]): void {
    for (const step of steps) for (const change of step.changes) this.#make(change);
  }

  #make(change: HostChange): void {
    switch (change.kind) {
      case 'write': {
        const before = this.things.get(change.path);
        const sum = before === undefined ? 'absent' : sumOf(before.content);
        const expected = change.before.kind === 'file' ? change.before.sha256 : 'absent';
        if (sum !== expected) throw new Error(`${change.path} is not what it was`);
        this.put(change.path, change.content, change.mode);
        return;
      }
      case 'remove': {
        const thing = this.things.get(change.path);
        if (thing === undefined) throw new Error(`${change.path} is not there`);
        if (change.before.kind === 'file' && sumOf(thing.content) !== change.before.sha256) {
          throw new Error(`${change.path} is not what it was`);
        }
        this.things.delete(change.path);
        return;
      }
      case 'folder':
        this.things.set(change.path, { kind: 'folder', mode: change.mode, content: new Uint8Array(), target: null });
        return;
      case 'link':
        this.link(change.path, change.target);
        return;
      case 'run':
        this.#run(change.argv);
        return;
      case 'wait':
        if (change.argv[0] === 'sh' && change.argv.at(-1) !== '' && change.argv.at(-1) !== this.docker0) {
          throw new Error(`docker0 is ${this.docker0}, not ${change.argv.at(-1) ?? ''}`);
        }
        return;
      case 'push':
        throw new Error(`${change.path}: nothing is pushed here`);
      default:
        change satisfies never;
    }
  }

  #run(argv: readonly string[]): void {
    const [program, ...words] = argv;
    const fail = (): never => {
      throw new Error(`no such thing: ${argv.join(' ')}`);
    };
    if (program === 'rmdir') {
      const folder = words.at(-1) ?? '';
      if ([...this.things.keys()].some((path) => path.startsWith(`${folder}/`))) fail();
      this.things.delete(folder);
    } else if (program === 'systemctl') this.#systemctl(words);
    else if (program === 'ip' && words[0] === 'link') {
      const name = words.at(-1) ?? '';
      if (!this.devices.some((each) => each.name === name)) fail();
      this.devices = this.devices.filter((each) => each.name !== name);
      this.routes = this.routes.filter(({ nextHops }) => nextHops.every(({ device }) => device !== name));
    } else if (program === 'ip' && words[1] === 'route') {
      const [type, range] = words[3] === 'blackhole' ? ['blackhole', words[4]] : ['unicast', words[3]];
      const at = this.routes.findIndex((each) => textOfRoute(each) === range && each.type === type);
      if (at < 0) fail();
      this.routes.splice(at, 1);
    } else if (program === 'iptables') this.#iptables(words.slice(2), fail);
    else if (program === 'nft') {
      const [, , family, name] = words;
      if (!this.nftTables.some((each) => each.family === family && each.name === name)) fail();
      this.nftTables = this.nftTables.filter((each) => each.family !== family || each.name !== name);
    } else if (!['sysctl', 'udevadm', 'supervisorctl', 'docker'].includes(program ?? '')) fail();
  }

  #iptables(words: readonly string[], fail: () => never): void {
    const table = words[0] === '-t' && words[1] === 'nat' ? this.rules.nat : this.rules.filter;
    const [action, chain = '', ...specification] = words[0] === '-t' ? words.slice(2) : words;
    if (action === '-X') {
      const at = table.indexOf(`:${chain}`);
      if (at < 0 || table.some((rule) => rule.startsWith(`-A ${chain} `) || rule.endsWith(`-j ${chain}`))) fail();
      table.splice(at, 1);
      return;
    }
    const wanted = JSON.stringify(['-A', chain, ...specification]);
    const at = table.findIndex((rule) => JSON.stringify(ruleWords(rule)) === wanted);
    if (at < 0) fail();
    if (action === '-D') table.splice(at, 1);
    else fail();
  }

  #systemctl(words: readonly string[]): void {
    const name = words.at(-1) ?? '';
    const state = this.units.get(name) ?? { active: false, enabled: false };
    if (words[0] === 'disable') {
      this.units.set(name, { active: words.includes('--now') ? false : state.active, enabled: false });
      if (name === 'flanneld.service') this.flanneld = [];
    } else if (words[0] === 'enable') this.units.set(name, { ...state, enabled: true });
    else if (words[0] === 'restart' && name === 'docker.service') this.#startDocker();
    else if (words[0] === 'reload-or-restart' && name === 'netctl-routes.service') {
      this.units.set(name, { ...state, active: true });
      this.#runRoutes();
    }
  }

  #startDocker(): void {
    const text = this.text('/etc/docker/daemon.json');
    const settings: unknown = text === null ? {} : JSON.parse(text);
    if (typeof settings !== 'object' || settings === null) return;
    const bip: unknown = Reflect.get(settings, 'bip');
    const mtu: unknown = Reflect.get(settings, 'mtu');
    // Without a word Docker takes the range of its last start.
    if (typeof bip === 'string') this.docker0 = bip;
    this.mtu = typeof mtu === 'number' ? mtu : 1500;
  }

  /** What the script of direct routing does, by its own lists. */
  #runRoutes(): void {
    const text = this.text('/usr/local/lib/netctl/direct-routes') ?? '';
    for (const [, range = '', via = ''] of text.matchAll(/^(\d[\d./]+) (\d[\d.]+)$/gm)) {
      this.routes = this.routes.filter((each) => textOfRoute(each) !== range);
      this.routes.push(route(range, { via, dev: 'eth0' }));
    }
    for (const [, range = ''] of text.matchAll(/^(\d[\d.]+\/\d+)$/gm)) {
      for (const side of ['-s', '-d']) {
        const rule = `-A FORWARD ${side} ${range} -m comment --comment "netctl:routes" -j ACCEPT`;
        if (!this.rules.filter.includes(rule)) this.rules.filter.push(rule);
      }
    }
  }

  answers(ask: Pick<ResetQuestions, 'texts' | 'sums' | 'folders' | 'installDir'>): ResetAnswers {
    const base = nodeSeen(this.address).answers;
    const stateOf = ({ kind, mode, content, target }: Thing): FileState & { readonly present: true } => ({
      present: true,
      kind,
      mode,
      uid: 0,
      gid: 0,
      sizeBytes: content.length,
      modifiedAtSeconds: 0,
      target,
    });
    const fact = <T>(path: string, more: (thing: Thing) => T) => {
      const thing = this.things.get(path);
      return [
        path,
        known(thing === undefined ? { present: false as const } : { ...stateOf(thing), ...more(thing) }),
      ] as const;
    };
    const paths = [...this.things.keys()].sort();
    const below = (folder: string) => paths.filter((path) => path.startsWith(`${folder}/`));
    const tags = new Set(
      paths.flatMap((path) => new RegExp(`^${ask.installDir}-(v[^/]+)(?:/|$)`).exec(path)?.[1] ?? []),
    );
    const unitPath = '/etc/systemd/system/flanneld.service';
    const flannelText = this.text(unitPath);
    const dropIn = '/etc/systemd/system/docker.service.d/zz-netctl-flannel.conf';
    const dropInText = this.text(dropIn);
    const unitsOf = (name: string) => {
      const { active, enabled } = this.units.get(name) ?? { active: false, enabled: false };
      const state = { activeState: active ? 'active' : 'inactive', unitFileState: enabled ? 'enabled' : 'disabled' };
      return [name, unit(name, state)] as const;
    };
    const save = (table: 'nat' | 'filter', chains: readonly string[]): string => {
      const own = this.rules[table].filter((line) => line.startsWith(':')).map((line) => `${line} - [0:0]`);
      const rules = this.rules[table].filter((line) => !line.startsWith(':'));
      return [`*${table}`, ...chains.map((chain) => `:${chain} ACCEPT [0:0]`), ...own, ...rules, 'COMMIT', ''].join(
        '\n',
      );
    };
    const [docker0Host = '', docker0Length = '16'] = this.docker0.split('/');
    return {
      operatingSystem: base.operatingSystem,
      systemdVersion: base.systemdVersion,
      links: known([
        link('eth0', [`${this.address}/24`]),
        link('docker0', [this.docker0], { kind: 'bridge' }),
        ...this.devices,
      ]),
      routes: known([
        ...this.routes,
        this.#kernelRoute(`${docker0Host.replace(/\.\d+$/, '.0')}/${docker0Length}`, 'docker0'),
      ]),
      routes6: known([]),
      iptables: base.iptables,
      iptablesNft: known({
        state: 'read',
        ruleset: parseIptablesSave(save('nat', ['POSTROUTING']) + save('filter', ['FORWARD'])),
      }),
      iptablesLegacy: known({ state: 'not-in-use' }),
      ip6tablesNft: known({ state: 'not-in-use' }),
      ip6tablesLegacy: known({ state: 'not-in-use' }),
      nftTables: known(this.nftTables),
      units: known(
        new Map(['flanneld.service', 'netctl-forward.service', 'netctl-routes.service', 'docker.service'].map(unitsOf)),
      ),
      flannelUnit: known(flannelText === null ? [] : [{ path: unitPath, text: flannelText }]),
      programs: base.programs,
      supervisor: base.supervisor,
      flanneld: known(this.flanneld),
      releases: known(
        [...tags].map((tag) => ({
          path: `${ask.installDir}-${tag}`,
          tag,
          entries: below(`${ask.installDir}-${tag}`).flatMap((path) => {
            const thing = this.things.get(path);
            if (thing === undefined) return [];
            const sha256 = thing.kind === 'file' ? sumOf(thing.content) : null;
            return [
              { path, kind: thing.kind, mode: thing.mode, sha256, isMarked: isWrittenByNetctl(this.text(path) ?? '') },
            ];
          }),
        })),
      ),
      folders: known(
        new Map(
          ask.folders.map((folder) => {
            const names = new Set(below(folder).map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''));
            return [folder, names.size > 0 || this.things.has(folder) ? [...names] : null];
          }),
        ),
      ),
      texts: known(
        new Map(
          ask.texts.map((path) => fact(path, ({ kind, content }) => ({ bytes: kind === 'file' ? content : null }))),
        ),
      ),
      sums: known(
        new Map(
          ask.sums.map((path) =>
            fact(path, ({ kind, content }) => ({ sha256: kind === 'file' ? sumOf(content) : null })),
          ),
        ),
      ),
      dockerProgram: base.dockerProgram,
      docker: base.docker,
      containers: known(
        this.containers.map((name, index) => ({
          id: `${index}`.padStart(64, 'a'),
          name,
          image: 'lab.image',
          restartPolicy: 'no',
          restartsWithDocker: false,
          networks: new Map([['bridge', null]]),
          pid: 1000 + index,
        })),
      ),
      networks: known([
        {
          ...dockerNetwork('bridge', this.docker0.replace(/\.\d+\//, '.0/'), 'docker0'),
          mtu: this.mtu,
          masquerades: true,
        },
      ]),
      dockerUnit: known([
        ...(base.dockerUnit.known ? base.dockerUnit.value : []),
        ...(dropInText === null ? [] : [{ path: dropIn, text: dropInText }]),
      ]),
      dockerd: known([process(900, '/usr/sbin/dockerd', ['/usr/sbin/dockerd', '-H', 'fd://'])]),
    };
  }
}

function sumOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function textOfRoute({ destination }: Route): string {
  if (destination.family !== 4) return '';
  const { base, length } = destination;
  return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${length}`;
}

export function process(pid: number, program: string, words: readonly string[]): Process {
  return {
    pid,
    uid: 0,
    program,
    isReplaced: false,
    words,
    environment: null,
    startedAtSeconds: 0,
    isInHostsNamespace: true,
  };
}
