import { InvalidInput } from '../errors';
import type { Host } from '../host/host';
import type { Question } from '../host/secrets';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { nearestWord } from '../net/nearest-word';

export interface NodeChoice {
  /** Names as they were typed. */
  readonly names: readonly string[];
  readonly all: boolean;
  /** `web*`, `@rack1`; all must match. */
  readonly limit: readonly string[];
}

/** The nodes that a person means. @throws InvalidInput `no-nodes`, `unknown-node`, `no-nodes-left` */
export function chooseNodes(inventory: Inventory | undefined, choice: NodeChoice): readonly InventoryNode[] {
  const nodes = inventory?.nodes ?? [];
  if (nodes.length === 0) {
    throw new InvalidInput({
      code: 'no-nodes',
      message:
        inventory === undefined ? 'there is no inventory, so there are no nodes' : `${inventory.file} names no nodes`,
      next: ['Write one: netctl config init --node NAME=ADDRESS --node NAME=ADDRESS'],
    });
  }
  if (choice.names.length === 0 && !choice.all && choice.limit.length === 0) {
    throw new InvalidInput({
      code: 'no-nodes',
      message: 'which nodes? Name them, or say --all',
      next: [
        `All of them: ${nodes
          .slice(0, 8)
          .map(({ name }) => name)
          .join(' ')}${nodes.length > 8 ? ' …' : ''}`,
      ],
    });
  }
  if (choice.names.length > 0 && choice.all) {
    throw new InvalidInput({ code: 'no-nodes', message: '--all and names of nodes were both given; say one of them' });
  }
  const known = new Map(nodes.map((node) => [node.name, node]));
  for (const name of choice.names) {
    if (known.has(name)) continue;
    const near = nearestWord(name, [...known.keys()]);
    throw new InvalidInput({
      code: 'unknown-node',
      message: `${JSON.stringify(name)} is no node of the inventory`,
      next: [
        near === undefined ? `The nodes are: ${[...known.keys()].slice(0, 20).join(', ')}` : `Did you mean ${near}?`,
      ],
    });
  }
  const named = choice.names.length === 0 ? nodes : [...new Set(choice.names)].flatMap((name) => known.get(name) ?? []);
  const left = named.filter((node) => choice.limit.every((pattern) => matches(node, pattern)));
  if (left.length === 0) {
    throw new InvalidInput({
      code: 'no-nodes-left',
      message: `--limit ${choice.limit.join(' --limit ')} leaves no node over`,
    });
  }
  return left;
}

function matches(node: InventoryNode, pattern: string): boolean {
  if (pattern.startsWith('@')) return node.labels.includes(pattern.slice(1));
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^]*')
    .replaceAll('?', '[^]');
  return new RegExp(`^${expression}$`).test(node.name);
}

/** Hosts that share one set of connections. */
export interface Hosts {
  readonly of: (node: InventoryNode) => Promise<Host>;
  readonly close: () => void;
}

function questionText(question: Question): string {
  const again = 'attempt' in question && question.attempt > 1 ? ' (that was not it)' : '';
  switch (question.kind) {
    case 'passphrase':
      return `Passphrase of ${question.file}${again}`;
    case 'password':
      return `Password of ${question.user}${question.host === undefined ? '' : ` on ${question.host}`}${again}`;
    case 'sudo-password':
      return `sudo password of ${question.user}${question.host === undefined ? '' : ` on ${question.host}`}${again}`;
    case 'host-question':
      return `${question.host} asks ${question.user}: ${question.text}`;
    default:
      return question satisfies never;
  }
}

const loopback = new Set(['127.0.0.1', '::1']);

/** Needs it no SSH? A loopback address with a port leads to another machine: a virtual one, or through a tunnel. */
function isThisMachine({ address, ssh }: Pick<InventoryNode, 'address' | 'ssh'>): boolean {
  return address === 'localhost' || (loopback.has(address) && ssh.port === undefined);
}

/** Opens hosts as the inventory says; nothing is connected before the first command. */
export async function openHosts(options: {
  readonly hostKey?: 'strict' | 'accept-new' | 'off' | undefined;
}): Promise<Hosts> {
  const [{ openSsh }, { resolveSshTarget }, { sudo }, { localHost }, { createSecrets }, { askSecret }] =
    await Promise.all([
      import('../host/ssh'),
      import('../host/ssh-config'),
      import('../host/sudo'),
      import('../host/local'),
      import('../host/secrets'),
      import('./ask'),
    ]);
  // A fleet mostly has one password; a host that does not take it is asked for by itself.
  const secrets = createSecrets((question) => askSecret(questionText(question)), { onePasswordForAll: true });
  const ssh = openSsh({ secrets });
  const open = new Map<string, Promise<Host>>();
  const make = async (node: InventoryNode): Promise<Host> => {
    const { sudo: how, hostKey, ...rest } = node.ssh;
    const policy = options.hostKey ?? hostKey;
    const host = isThisMachine(node)
      ? localHost({ name: node.name })
      : ssh.host(
          await resolveSshTarget({
            name: node.name,
            address: node.address,
            ...rest,
            ...(policy === undefined ? {} : { hostKey: policy }),
          }),
        );
    if (how === undefined || how === 'none') return host;
    if (how === 'nopasswd') return sudo(host);
    const user = rest.user ?? 'us';
    return sudo(host, { password: (attempt) => secrets.password('sudo-password', user, node.name, attempt) });
  };
  return {
    of: (node) => {
      const known = open.get(node.name) ?? make(node);
      open.set(node.name, known);
      return known;
    },
    close: () => ssh.close(),
  };
}
