import type { Answers } from './fact';
import { links } from './links';
import { processesNamed } from './processes';
import { subnetEnvFile } from './subnet-env-file';
import { supervisor } from './supervisor';
import { units } from './units';

/** Under these names flanneld is installed, by netctl and by distributions. */
const flanneldUnits = ['flanneld.service', 'flannel.service'] as const;

/**
 * What tells whether a machine has a lease: what runs there, what would start, and which addresses it has.
 * @param subnetFile flanneld's `--subnet-file`
 */
export function leaseOwnerFacts(subnetFile: string) {
  return {
    supervisor,
    units: units(flanneldUnits),
    flanneld: processesNamed('flanneld', ['FLANNELD_']),
    links,
    subnetEnv: subnetEnvFile(subnetFile),
  };
}

export type LeaseOwnerSeen = Answers<ReturnType<typeof leaseOwnerFacts>>;
