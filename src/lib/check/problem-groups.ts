import type { LeaseProblem } from './leases';

/** So many of one kind stand one by one. */
const mostApart = 5;

interface Group {
  /** What is said of them together. @param names the first few, and how many more */
  readonly message: (count: number, names: string) => string;
  readonly suggestion: string;
}

/** Kinds that come by the hundred when one thing is wrong: the inventory is of another cluster, or a fleet has not started. */
const groups: Readonly<Record<string, Group>> = {
  'unknown-owner': {
    message: (count, names) =>
      `${count} leases have public IPs that no node of the inventory has (${names}): nodes that are gone, nodes that are missing there, or another cluster with this prefix`,
    suggestion:
      "Add the nodes to netctl.yaml, or let the leases run out; netctl subnets ls --filter 'problem=unknown-owner'",
  },
  'node-without-lease': {
    message: (count, names) =>
      `${count} nodes have no lease (${names}): their flanneld does not run, waits for the config, uses another prefix or has another public IP`,
    suggestion: 'On each: systemctl status flanneld; check publicIP in netctl.yaml against its --iface or --public-ip',
  },
};

/** Problems of one kind made one when they are many; all others, and few of a kind, as they are. The order stays. */
export function groupedProblems(problems: readonly LeaseProblem[]): readonly LeaseProblem[] {
  const byCode = new Map<string, LeaseProblem[]>();
  for (const problem of problems) {
    if (!Object.hasOwn(groups, problem.code)) continue;
    const same = byCode.get(problem.code);
    if (same === undefined) byCode.set(problem.code, [problem]);
    else same.push(problem);
  }
  return problems.flatMap((problem) => {
    const same = byCode.get(problem.code) ?? [];
    const group = groups[problem.code];
    if (group === undefined || same.length <= mostApart) return [problem];
    return same[0] === problem ? [together(problem, same, group)] : [];
  });
}

function together(first: LeaseProblem, same: readonly LeaseProblem[], group: Group): LeaseProblem {
  const subjects = same.map(({ subject }) => subject);
  const names = `${subjects.slice(0, mostApart).join(', ')} and ${same.length - mostApart} more`;
  const keys = same.flatMap((problem) => problem.keys);
  return {
    ...first,
    path: '',
    // Nodes without a lease have no key by which a program could tell them.
    subject: keys.length > 0 ? names : subjects.join(', '),
    message: group.message(same.length, names),
    suggestion: group.suggestion,
    keys,
  };
}
