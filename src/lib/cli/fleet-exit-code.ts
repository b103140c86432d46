import { type ExitCode, exitCodes } from '../errors';
import type { NodeReport } from '../view/node-bootstrap';

/** How a run over several nodes ends: by the gravest of what became of them; undefined when none of it is grave. */
export function fleetExitCode(nodes: readonly Pick<NodeReport, 'state'>[]): ExitCode | undefined {
  const states = new Set(nodes.map(({ state }) => state));
  if (states.has('failed') || states.has('skipped')) return exitCodes.failed;
  if (states.has('unreachable')) return exitCodes.unreachable;
  if (states.has('blocked')) return exitCodes.refused;
  return undefined;
}
