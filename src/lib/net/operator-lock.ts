import { storedFields } from './stored-record';
/** Who is changing a network in etcd, as it stands in the value of the lock. For people: the key alone is the lock. */
export interface OperatorLock {
  /** `user@host` */
  readonly owner: string;
  readonly pid: number;
  /** Where `pid` is a process: this start of the kernel and this namespace; empty when that is not known. */
  readonly machine: string;
  /** Of netctl. */
  readonly version: string;
  /** What the run does: `netctl subnets reclaim`. */
  readonly doing: string;
  /** ISO 8601, by the clock of the owner's machine. */
  readonly since: string;
  /** Tells two locks of one process apart, and a write of ours from one of somebody else. */
  readonly id: string;
}

/** Names are shown on one line of an error; a longer one was not written by netctl. */
const longestText = 200;
const longestValue = 2048;

export function formatOperatorLock(lock: OperatorLock): Uint8Array {
  const { owner, pid, machine, version, doing, since, id } = lock;
  return Buffer.from(
    JSON.stringify({ apiVersion: 'netctl/v1', kind: 'OperatorLock', owner, pid, machine, version, doing, since, id }),
  );
}

/** `undefined` for a value that netctl did not write: the lock is held all the same, by somebody unknown. */
export function parseOperatorLock(value: Uint8Array): OperatorLock | undefined {
  if (value.length > longestValue) return undefined;
  const field = storedFields(value);
  if (field === undefined) return undefined;
  const [owner, version, doing, since, id] = ['owner', 'version', 'doing', 'since', 'id'].map(field);
  const [pid, machine] = [field('pid'), field('machine')];
  if (field('kind') !== 'OperatorLock' || typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid < 1) {
    return undefined;
  }
  if (!isName(owner) || !isName(version) || !isName(doing) || !isName(since) || !isName(id)) return undefined;
  return { owner, pid, machine: isName(machine) ? machine : '', version, doing, since, id };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longestText;
}
