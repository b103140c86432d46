import { converge } from '../engine/converge';
import { Refused } from '../errors';
import { historyPrefix } from '../net/own-keys';
import type { Problem } from '../net/problem';
import { type NetworkFacts, planSetNetwork, type SetNetworkPlan } from '../plan/set-network';
import { networkChangeDocument, networkChangeView } from '../view/network-change';
import type { NetctlCommand, OutputChoice } from './command';
import { uninterrupted } from './interrupt';
import { withOperatorLock } from './operator-lock';
import type { NetworkStore, Session } from './session';
import { whoAmI } from './who-am-i';

export interface SetNetworkOptions extends OutputChoice {
  readonly 'dry-run': boolean;
  readonly yes: boolean;
  readonly force: boolean;
  readonly 'break-lock': boolean;
}

export interface SetNetworkWish {
  readonly text: Uint8Array;
  /** Exactly these bytes, as a rollback wants; else a config by which flanneld does the same will do. */
  readonly exact: boolean;
  readonly problems: readonly Problem[];
  /** For the history and for messages: `netctl init-network`. */
  readonly command: string;
  /** May a change that keeps every lease go without `--force`? */
  readonly harmlessNeedsNoForce: boolean;
}

/**
 * Brings `<prefix>/config` to the wish: shows what that does, refuses what would hurt without `--force`, asks, writes
 * under the revision that was read, looks again, prints the result.
 * @throws Refused `network-in-use` and `not-confirmed`, Conflict when somebody else wrote meanwhile
 */
export async function setNetwork(
  command: NetctlCommand,
  session: Session,
  opened: NetworkStore,
  wish: SetNetworkWish,
  options: SetNetworkOptions,
): Promise<void> {
  const { store, prefix, api, version } = opened;
  const intent = {
    text: wish.text,
    exact: wish.exact,
    version,
    nodes: session.inventory?.nodes ?? [],
    now: new Date(),
    who: whoAmI(),
    command: wish.command,
  };
  const document = (plan: SetNetworkPlan, applied: boolean, facts: NetworkFacts) =>
    networkChangeDocument({
      plan,
      text: wish.text,
      applied,
      prefix,
      api,
      version,
      revision: Array.from(facts.snapshot.entries).find(({ key }) => key === `${prefix}/config`)?.revision ?? null,
      problems: wish.problems,
    });
  const view = networkChangeView(version);

  const outcome = await converge<NetworkFacts, SetNetworkPlan>({
    store,
    look: async () => {
      const [snapshot, history] = await Promise.all([
        store.snapshot(`${prefix}/`),
        store.snapshot(historyPrefix(prefix)),
      ]);
      return { prefix, snapshot, history };
    },
    whileWriting: (work) =>
      withOperatorLock(command, opened, { breakLock: options['break-lock'], doing: wish.command }, () =>
        uninterrupted(work),
      ),
    decide: (facts) => planSetNetwork(facts, intent),
    approve: async (plan, facts) => {
      if (plan.state === 'unchanged' || options['dry-run']) return false;
      if (plan.state === 'create' && (plan.effect?.counts.leases ?? 0) === 0) return true;
      const harmless = wish.harmlessNeedsNoForce && plan.effect?.impact !== 'outage';
      if (!options.force && !harmless) {
        await command.printRecord(document(plan, false, facts), view, options);
        throw networkInUse(plan, wish.command);
      }
      if (options.yes) return true;
      const { canAsk, confirm } = await import('./ask');
      if (!canAsk()) {
        await command.printRecord(document(plan, false, facts), view, options);
        throw new Refused({
          code: 'not-confirmed',
          message: `${prefix}/config: nobody is there to confirm the change, so nothing was written`,
          next: ['Read what it does, above, then add --yes'],
        });
      }
      await command.talkRecord(document(plan, false, facts), view);
      if (await confirm(`Write this to ${prefix}/config?`)) return true;
      throw new Refused({ code: 'not-confirmed', message: `${prefix}/config: not confirmed, nothing was written` });
    },
  });
  await command.printRecord(document(outcome.plan, outcome.applied, outcome.facts), view, options);
  if (options['dry-run'] && outcome.plan.state !== 'unchanged') command.say('Dry run: nothing was written.');
}

function networkInUse(plan: SetNetworkPlan, command: string): Refused {
  const leases = plan.effect?.counts.leases ?? 0;
  const holder =
    leases === 0 ? 'no lease stands on it' : leases === 1 ? '1 lease stands on it' : `${leases} leases stand on it`;
  const message =
    plan.current === null
      ? `there is no config, but there are leases: ${holder}`
      : `a different network config is there already (revision ${plan.current.entry.revision}), and ${holder}`;
  return new Refused({
    code: 'network-in-use',
    message: `${message}; nothing was written`,
    next: [
      'Read what the change does, above.',
      `To write it all the same: ${command} … --force`,
      'The config that is replaced is kept: netctl network history',
    ],
  });
}
