import { survey } from '../engine/survey';
import { InvalidInput, Unreachable } from '../errors';
import { answerText, whyFailed } from '../fact/answer-text';
import { type Fact, known, unknown } from '../fact/fact';
import { fileContents } from '../fact/files';
import type { Inventory } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import type { FlannelVersion } from '../net/flannel-version';
import { chooseNodes, openHosts } from './nodes';

/** What mk-docker-opts.sh would read on a node. */
export interface NodeSubnetEnv {
  readonly node: string;
  readonly path: string;
  readonly text: string;
  /** What `ip route show` prints there. */
  readonly routes: string;
  readonly version: FlannelVersion;
}

/** As the script asks it: without JSON, and the main table alone. */
const routeLines: Fact<string> = {
  name: 'route-lines',
  command: { argv: ['ip', 'route', 'show'], maxOutputBytes: 4 * 1024 * 1024 },
  requires: { root: 'none', programs: [['ip']] },
  parse: (output) => (output.code === 0 ? known(answerText(output.stdout)) : whyFailed('ip route', output)),
};

/**
 * @param path of the subnet file there; undefined: where the inventory says
 * @throws InvalidInput `unknown-node`, `no-subnet-env`; what the host throws
 */
export async function nodeSubnetEnv(
  session: { readonly inventory: Inventory | undefined; readonly version: FlannelVersion },
  name: string,
  options: { readonly path?: string | undefined; readonly hostKey?: 'strict' | 'accept-new' | 'off' | undefined },
): Promise<NodeSubnetEnv> {
  const { inventory, version } = session;
  const [node] = chooseNodes(inventory, { names: [name], all: false, limit: [] });
  if (node === undefined) throw new TypeError(`${name} was chosen`);
  const path = options.path ?? inventory?.flannel.subnetFile ?? inventoryDefaults.flannel.subnetFile;
  const hosts = await openHosts({ hostKey: options.hostKey });
  try {
    const facts = { files: fileContents([path]), routes: routeLines };
    const { answers } = await survey(await hosts.of(node), facts, { timeoutMs: 20_000 });
    const file = answers.files.known
      ? (answers.files.value.get(path) ?? unknown('the node did not tell of it'))
      : answers.files;
    const cannot = (why: string) =>
      new Unreachable({
        code: 'node-file-unreadable',
        message: `${name}: ${path} could not be read: ${why}`,
        next: ['Let netctl become root there: ssh.sudo in the inventory.'],
      });
    if (!file.known) throw cannot(file.why);
    if (!file.value.present) {
      throw new InvalidInput({
        code: 'no-subnet-env',
        message: `${name}: ${path} is not there; flanneld writes it when it has its subnet`,
        next: [`netctl node status ${name}`],
      });
    }
    if (file.value.bytes === null) throw cannot('it is no file');
    // The script goes on without routes when ip fails.
    const routes = answers.routes.known ? answers.routes.value : '';
    return { node: name, path, text: answerText(file.value.bytes), routes, version };
  } finally {
    hosts.close();
  }
}
