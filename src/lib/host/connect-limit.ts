import { Gate } from './gate';

/**
 * How many handshakes go to one address at once. sshd's MaxStartups (10:30:100) begins to drop connections at ten that have not
 * logged in; eight at a time lost none of a hundred, ten lost six.
 */
const handshakesAtOnce = 8;

export interface ConnectLimit {
  run<T>(address: string, work: () => Promise<T>): Promise<T>;
}

export function createConnectLimit(): ConnectLimit {
  const gates = new Map<string, Gate>();
  return {
    run(address, work) {
      const gate = gates.get(address) ?? new Gate(handshakesAtOnce);
      gates.set(address, gate);
      return gate.run(work);
    },
  };
}
