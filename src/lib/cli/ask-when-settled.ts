import type { InventoryNode } from '../inventory/inventory';

/** For so long a Docker that was restarted a moment ago may be too busy to answer in time. */
const longestMs = 20_000;
const pauseMs = 1000;

interface Round<Asked, Lost> {
  readonly asked: readonly Asked[];
  readonly lost: readonly Lost[];
}

/** Asks nodes after work on them, and those that are not told of clearly once more a little later. What is unclear then stays so. */
export async function askWhenSettled<Asked extends { readonly node: InventoryNode }, Lost>(
  nodes: readonly InventoryNode[],
  ask: (nodes: readonly InventoryNode[]) => Promise<Round<Asked, Lost>>,
  isUnclear: (asked: Asked) => boolean,
): Promise<Round<Asked, Lost>> {
  const deadline = performance.now() + longestMs;
  const settled: Asked[] = [];
  const lost: Lost[] = [];
  let left = nodes;
  while (left.length > 0) {
    const round = await ask(left);
    const unclear = performance.now() < deadline ? round.asked.filter(isUnclear) : [];
    settled.push(...round.asked.filter((each) => !unclear.includes(each)));
    lost.push(...round.lost);
    left = unclear.map(({ node }) => node);
    if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return { asked: settled, lost };
}
