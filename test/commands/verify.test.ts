import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';

// What it finds on real nodes is tried on the lab: test/lab/verify.journey.ts.
const { home, netctl, remove } = cliFor({});
afterAll(remove);

const nobody = join(home, 'netctl.yaml');
writeFileSync(
  nobody,
  // A port of this machine on which nothing listens.
  JSON.stringify({
    etcd: { endpoints: ['http://127.0.0.1:1'] },
    ssh: { port: 1, user: 'root' },
    nodes: [
      { name: 'node1', address: '127.0.0.2' },
      { name: 'node2', address: '127.0.0.3' },
    ],
  }),
);
const verify = (...args: readonly string[]) => netctl(['verify', '--config', nobody, ...args]);

describe('netctl verify', () => {
  it('wants a pair, or a way out', async () => {
    const { status, stderr } = await verify('node1');
    expect(status).toBe(2);
    expect(stderr).toContain('node1 alone has nobody to send to: a pair needs two nodes');
    expect(stderr).toContain('--outside ADDRESS:PORT');
  });

  it.each(['example.org', '198.51.100.1:0', '198.51.100.1:70000', '198.51.100.1:80:80', '::1', ''])(
    'takes an address for --outside, and not %j',
    async (text) => {
      const { status, stderr } = await verify('--outside', text);
      expect(status).toBe(2);
      expect(stderr).toContain(`--outside ${JSON.stringify(text)} is no IPv4 address`);
    },
  );

  it('tells nodes that nobody reaches apart from pairs that fail', async () => {
    const { status, stdout, stderr } = await verify('--outside', '198.51.100.1');
    expect(status).toBe(4);
    expect(stdout).toMatch(/^node1 +- +\?$/m);
    expect(stdout).toMatch(/^node1 +\?$/m);
    expect(stderr).toContain('node1: ');
    expect(stderr).toContain('4 pairs: 4 unknown');
    expect(stderr.match(/node2: /g)).toHaveLength(1);
  });
});
