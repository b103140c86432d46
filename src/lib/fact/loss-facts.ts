import type { Answers } from './fact';
import { iptablesRules } from './iptables';
import { kernelSettings } from './kernel-settings';
import { routesTo } from './route-to';

/** What can make a node lose packets of others: its rules with their counters, its ways, and whether it passes packets on at all. */
export function lossFacts(targets: readonly string[]) {
  return {
    iptablesNft: iptablesRules('nft'),
    iptablesLegacy: iptablesRules('legacy'),
    routesTo: routesTo(targets),
    settings: kernelSettings,
  };
}

export type LossSeen = Answers<ReturnType<typeof lossFacts>>;
