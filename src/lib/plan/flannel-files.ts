import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { type FlanneldWish, flanneldFlags } from '../net/flannel-flags';
import { defaultPrefix } from '../net/flannel-keys';
import { environmentLine, flannelUnit } from '../net/flannel-unit';
import type { FlannelVersion } from '../net/flannel-version';
import type { Problem } from '../net/problem';
import { startScript, supervisorProgram, supervisorProgramFile } from '../net/supervisor-program';
import { writtenByNetctl } from '../net/written-by-netctl';
import type { NodeFile } from './node-file';

/** Whose paths a node has: `/etc/default` or `/etc/sysconfig`. */
export type NodeFamily = 'debian' | 'rhel';

/** flanneld's side of one node. */
export interface FlannelFilesWish {
  readonly family: NodeFamily;
  readonly service: 'systemd' | 'supervisord';
  readonly version: FlannelVersion;
  /** `/opt/flannel`, which then is a link to `/opt/flannel-v0.28.9`, or a folder that others use too, such as `/usr/bin`. */
  readonly installDir: string;
  /** Without the paths of the certificates, which follow from the layout. */
  readonly flanneld: Omit<FlanneldWish, 'ca' | 'cert' | 'key'>;
  /** The bytes of the PEM files. */
  readonly certificates?: { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array };
  /** Absent: `cert` below the installation, or `/etc/flannel/cert` beside a shared folder. */
  readonly certDir?: string;
  /** Docker's unit: `docker`. */
  readonly dockerService: string;
  /** What supervisord writes flanneld's log to. */
  readonly logFile?: string;
  /**
   * The subnet.env that the node has, when a new release would look for it in another folder: flanneld asks for the subnet in it
   * again, which no lease can tell it across the step from etcd v2 to v3. Not to be given otherwise: up to v0.17 flanneld takes a
   * subnet in it away from whoever holds it.
   */
  readonly subnetEnv?: string;
}

/** Where things of flannel lie on a node. */
export interface FlannelLayout {
  /** The folder with the files; that of the release when `link` is there. */
  readonly folder: string;
  /** `/opt/flannel`, which leads to the folder; null for a shared folder. */
  readonly link: string | null;
  /** As commands name it, through the link. */
  readonly executable: string;
  /** Where the two programs of the archive are put, not through the link. */
  readonly programs: { readonly flanneld: string; readonly mkDockerOpts: string };
  /** As flanneld names it, and where it lies. */
  readonly certDir: string;
  readonly certDirOnDisk: string;
  readonly subnetFile: string;
  readonly environmentFile: string;
  /** The unit or the program file. */
  readonly serviceFile: string;
  /** Only with supervisord; as the program file names it. */
  readonly startScript: string | null;
}

const sharedFolders: ReadonlySet<string> = new Set([
  '/bin',
  '/sbin',
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/opt/bin',
]);

const defaultLogFile = '/var/log/flanneld/flanneld.stdout.log';

export function flannelLayout(
  wish: Pick<FlannelFilesWish, 'family' | 'service' | 'version' | 'installDir' | 'certDir' | 'flanneld'>,
): FlannelLayout {
  const installDir = wish.installDir.replace(/\/+$/, '');
  const link = sharedFolders.has(installDir) ? null : installDir;
  const folder = link === null ? installDir : `${installDir}-${wish.version.tag}`;
  const certDir = (wish.certDir ?? (link === null ? '/etc/flannel/cert' : `${installDir}/cert`)).replace(/\/+$/, '');
  return {
    folder,
    link,
    executable: `${installDir}/flanneld`,
    programs: { flanneld: `${folder}/flanneld`, mkDockerOpts: `${folder}/mk-docker-opts.sh` },
    certDir,
    certDirOnDisk: onDisk(certDir, link, folder),
    subnetFile: wish.flanneld.subnetFile ?? inventoryDefaults.flannel.subnetFile,
    environmentFile: wish.family === 'debian' ? '/etc/default/flanneld' : '/etc/sysconfig/flanneld',
    serviceFile:
      wish.service === 'systemd' ? '/etc/systemd/system/flanneld.service' : supervisorProgramFile(wish.family),
    startScript:
      wish.service === 'systemd' ? null : link === null ? '/etc/flannel/flanneld.sh' : `${installDir}/flanneld.sh`,
  };
}

/** Through the link a file would land in the release that is about to be left. */
function onDisk(path: string, link: string | null, folder: string): string {
  return link !== null && (path === link || path.startsWith(`${link}/`)) ? folder + path.slice(link.length) : path;
}

export interface FlannelFiles {
  readonly layout: FlannelLayout;
  /** In the order in which they are put there: the link only after all that it leads to, the service last. */
  readonly files: readonly NodeFile[];
  /** With an error among them the files are not to be used. */
  readonly problems: readonly Problem[];
}

/** Everything of flannel on a node but the programs from the archive. The same wish gives the same bytes. */
export function flannelFiles(wish: FlannelFilesWish): FlannelFiles {
  const layout = flannelLayout(wish);
  const { certificates = {} } = wish;
  const certificate = (name: string, bytes: Uint8Array | undefined): string | undefined =>
    bytes === undefined ? undefined : `${layout.certDir}/${name}`;
  const paths = {
    ca: certificate('ca.pem', certificates.ca),
    cert: certificate('client.pem', certificates.cert),
    key: certificate('client-key.pem', certificates.key),
  };
  const flags = flanneldFlags(
    {
      ...wish.flanneld,
      subnetFile: layout.subnetFile,
      ...(paths.ca === undefined ? {} : { ca: paths.ca }),
      ...(paths.cert === undefined ? {} : { cert: paths.cert }),
      ...(paths.key === undefined ? {} : { key: paths.key }),
    },
    wish.version,
    wish.service === 'systemd' ? 'environment' : 'words',
  );
  const environment = environmentFileOf(layout, flags.environment);
  return {
    layout,
    problems: flags.problems,
    files: [
      ...foldersOf(wish, layout),
      ...certificateFiles(wish, layout),
      ...carriedSubnetEnv(wish, layout),
      ...environment,
      ...serviceFiles(wish, layout, flags.words, environment.length > 0),
    ],
  };
}

function foldersOf(wish: FlannelFilesWish, layout: FlannelLayout): readonly NodeFile[] {
  const folders: NodeFile[] = [];
  if (layout.link !== null) {
    folders.push({
      kind: 'directory',
      path: layout.folder,
      mode: 0o755,
      why: `holds flannel ${wish.version.tag}, beside other releases`,
    });
  }
  if (wish.certificates !== undefined) {
    folders.push({
      kind: 'directory',
      path: layout.certDirOnDisk,
      mode: 0o700,
      why: 'holds the certificates for etcd',
    });
  }
  if (wish.service === 'supervisord') {
    const logFile = wish.logFile ?? defaultLogFile;
    folders.push({
      kind: 'directory',
      path: logFile.slice(0, logFile.lastIndexOf('/')),
      mode: 0o755,
      why: 'supervisord refuses its whole configuration when the folder of a log is missing',
    });
    if (layout.link === null) {
      folders.push({ kind: 'directory', path: '/etc/flannel', mode: 0o755, why: 'holds the start script' });
    }
  }
  return folders;
}

function certificateFiles(wish: FlannelFilesWish, layout: FlannelLayout): readonly NodeFile[] {
  const { ca, cert, key } = wish.certificates ?? {};
  const file = (name: string, content: Uint8Array | undefined, isSecret: boolean, why: string): readonly NodeFile[] =>
    content === undefined
      ? []
      : [{ kind: 'file', path: `${layout.certDirOnDisk}/${name}`, mode: 0o600, content, isSecret, why }];
  return [
    ...file('ca.pem', ca, false, 'flanneld knows etcd by it'),
    ...file('client.pem', cert, false, 'flanneld shows it to etcd'),
    ...file('client-key.pem', key, true, 'the key of the client certificate'),
  ];
}

function carriedSubnetEnv(wish: FlannelFilesWish, layout: FlannelLayout): readonly NodeFile[] {
  const path = onDisk(layout.subnetFile, layout.link, layout.folder);
  if (wish.subnetEnv === undefined || path === layout.subnetFile) return [];
  return [
    {
      kind: 'file',
      path,
      mode: 0o644,
      content: wish.subnetEnv,
      isSecret: false,
      onlyIfAbsent: true,
      why: 'flanneld of the new release asks for the subnet that the node has had',
    },
  ];
}

function environmentFileOf(
  layout: FlannelLayout,
  environment: readonly (readonly [name: string, value: string])[],
): readonly NodeFile[] {
  if (environment.length === 0) return [];
  const isSecret = environment.some(([name]) => name === 'FLANNELD_ETCD_PASSWORD');
  const lines = environment.map(([name, value]) => `${environmentLine(name, value)}\n`);
  return [
    {
      kind: 'file',
      path: layout.environmentFile,
      mode: isSecret ? 0o600 : 0o644,
      content: writtenByNetctl() + lines.join(''),
      isSecret,
      why: isSecret ? 'the password for etcd, which must not stand on a command line' : 'how flanneld is to run',
    },
  ];
}

function serviceFiles(
  wish: FlannelFilesWish,
  layout: FlannelLayout,
  words: readonly string[],
  hasEnvironment: boolean,
): readonly NodeFile[] {
  const environmentFile = hasEnvironment ? layout.environmentFile : null;
  const file = (path: string, mode: number, content: string, why: string): NodeFile => ({
    kind: 'file',
    path,
    mode,
    content,
    isSecret: false,
    why,
  });
  const link: readonly NodeFile[] =
    layout.link === null
      ? []
      : [{ kind: 'link', path: layout.link, target: layout.folder, why: `the release in use is ${wish.version.tag}` }];
  if (layout.startScript === null) {
    const { executable } = layout;
    const text = flannelUnit({ executable, words, environmentFile, dockerUnit: wish.dockerService });
    return [...link, file(layout.serviceFile, 0o644, text, 'starts flanneld before Docker, and again after every end')];
  }
  const script = onDisk(layout.startScript, layout.link, layout.folder);
  return [
    file(script, 0o755, startScript({ executable: layout.executable, words, environmentFile }), 'runs flanneld'),
    ...link,
    file(
      layout.serviceFile,
      0o644,
      supervisorProgram({
        script: layout.startScript,
        directory: layout.link ?? '/etc/flannel',
        logFile: wish.logFile ?? defaultLogFile,
      }),
      'starts flanneld, and again after every end',
    ),
  ];
}

/** What the inventory cannot know: found on the node, or read from files of the workstation. */
export interface FoundForFlannel {
  readonly family: NodeFamily;
  readonly version: FlannelVersion;
  /** As flanneld takes them: `http://…` or `https://…` each. */
  readonly endpoints: readonly string[];
  /** Where the network's config was read; else the inventory's. A flag or a variable may have named another. */
  readonly prefix?: string;
  /** The interface that reaches etcd and the peers; taken when neither the node nor the inventory names one. */
  readonly iface?: string;
  readonly hasPublicIP?: boolean;
  readonly certificates?: FlannelFilesWish['certificates'];
  readonly password?: string;
  readonly subnetEnv?: string;
}

/** The wish for one node of the inventory. */
export function flannelFilesWish(inventory: Inventory, node: InventoryNode, found: FoundForFlannel): FlannelFilesWish {
  const { flannel, etcd, docker } = inventory;
  // How the interface is chosen is one decision: the node's, else the section's, else what was found.
  const choice =
    node.iface !== undefined
      ? { iface: [node.iface] }
      : flannel.iface !== undefined || flannel.ifaceRegex !== undefined || flannel.ifaceCanReach !== undefined
        ? {
            ...(flannel.iface === undefined ? {} : { iface: [flannel.iface] }),
            ...(flannel.ifaceRegex === undefined ? {} : { ifaceRegex: [flannel.ifaceRegex] }),
            ...(flannel.ifaceCanReach === undefined ? {} : { ifaceCanReach: flannel.ifaceCanReach }),
          }
        : found.iface === undefined
          ? {}
          : { iface: [found.iface] };
  const prefix = found.prefix ?? etcd.prefix;
  return {
    family: found.family,
    service: flannel.service ?? inventoryDefaults.flannel.service,
    version: found.version,
    installDir: flannel.installDir ?? inventoryDefaults.flannel.installDir,
    dockerService: docker.service ?? inventoryDefaults.docker.service,
    ...(flannel.etcd.certDir === undefined ? {} : { certDir: flannel.etcd.certDir }),
    ...(found.certificates === undefined ? {} : { certificates: found.certificates }),
    ...(found.subnetEnv === undefined ? {} : { subnetEnv: found.subnetEnv }),
    flanneld: {
      endpoints: found.endpoints,
      ...(prefix === undefined || prefix === defaultPrefix ? {} : { prefix }),
      ...(flannel.etcd.user === undefined ? {} : { user: flannel.etcd.user }),
      ...(found.password === undefined ? {} : { password: found.password }),
      ...choice,
      ...(node.publicIP === undefined ? {} : { publicIP: node.publicIP }),
      ...(node.publicIPv6 === undefined ? {} : { publicIPv6: node.publicIPv6 }),
      ...(found.hasPublicIP === undefined ? {} : { hasPublicIP: found.hasPublicIP }),
      ...(flannel.subnetFile === undefined ? {} : { subnetFile: flannel.subnetFile }),
      ...(flannel.ipMasq === undefined ? {} : { ipMasq: flannel.ipMasq }),
      ...(flannel.healthzIP === undefined ? {} : { healthzIP: flannel.healthzIP }),
      ...(flannel.healthzPort === undefined ? {} : { healthzPort: flannel.healthzPort }),
      options: flannel.options,
    },
  };
}
