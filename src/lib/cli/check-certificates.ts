import { nodePlace, type PlaceCertificates, pushedPlace } from '../check/fleet-certificates';
import { survey } from '../engine/survey';
import { NetctlError } from '../errors';
import { fileContents } from '../fact/files';
import { forEachHost } from '../host/pool';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import type { Problem } from '../net/problem';
import { flannelFilesWish, flannelLayout } from '../plan/flannel-files';
import { type CertificateItem, certificateItems } from '../view/certificate-list';
import { flannelCertificates } from './flannel-certificates';
import type { Hosts } from './nodes';
import type { Session } from './session';

export interface FleetCertificates {
  readonly items: readonly CertificateItem[];
  readonly problems: readonly (Problem & { readonly node: string | null })[];
  readonly unreachable: readonly { readonly node: string; readonly code: string; readonly message: string }[];
}

const surveyTimeoutMs = 20_000;

/** The certificates of the workstation and of nodes. Keys are not read, here or there. */
export async function fleetCertificates(
  session: Session,
  inventory: Inventory,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  options: { readonly atOnce: number; readonly warnDays: number },
): Promise<FleetCertificates> {
  const age = { now: new Date(), warnDays: options.warnDays };
  const pushed = await flannelCertificates(session, inventory);
  const outcomes = await forEachHost(nodes, options, async (node): Promise<PlaceCertificates> => {
    const host = await hosts.of(node);
    // The folder of certificates is the same on both families.
    const { certDir } = flannelLayout(
      flannelFilesWish(inventory, node, { family: 'debian', version: session.version, endpoints: [] }),
    );
    const paths = { ca: `${certDir}/ca.pem`, client: `${certDir}/client.pem` };
    const { answers } = await survey(
      host,
      { files: fileContents([paths.ca, paths.client], 256 * 1024) },
      { timeoutMs: surveyTimeoutMs },
    );
    return nodePlace(paths, answers.files, pushed, age);
  });
  const here = pushedPlace(pushed, age);
  const items: CertificateItem[] = [...certificateItems(null, here)];
  const problems: (Problem & { readonly node: string | null })[] = here.problems.map((each) => ({
    ...each,
    node: null,
  }));
  const unreachable: FleetCertificates['unreachable'][number][] = [];
  for (const outcome of outcomes) {
    const { name } = outcome.item;
    if (outcome.kind === 'done') {
      items.push(...certificateItems(name, outcome.value));
      problems.push(...outcome.value.problems.map((each) => ({ ...each, node: name })));
    } else if (outcome.kind === 'failed' && outcome.error instanceof NetctlError) {
      unreachable.push({ node: name, code: outcome.error.code, message: outcome.error.message });
    } else throw outcome.kind === 'failed' ? outcome.error : new TypeError(`${name} was not asked`);
  }
  return { items, problems, unreachable };
}

/** Problems for people: a file that is the pushed one to the byte has none of its own, so they are told once. */
export function problemsToTell({ items, problems }: FleetCertificates): readonly Problem[] {
  const isPushed = (node: string | null, place: string) =>
    items.some(
      (item) => item.node === node && (item.file === 'ca' ? 'ca' : 'cert') === place && item.isAsPushed === true,
    );
  return problems.flatMap((problem) => {
    const { node, path } = problem;
    const wasTold =
      node !== null &&
      isPushed(node, path) &&
      problems.some((other) => other.node === null && other.code === problem.code && other.path === path);
    return wasTold ? [] : [{ ...problem, path: node ?? 'here' }];
  });
}
