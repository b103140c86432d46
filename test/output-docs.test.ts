import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { outputDocuments } from '../src/lib/view/schemas/output-schemas';
import { cleanEnv, node, root, runJs, runToEnd } from './support/built';
import { cliFor } from './support/cli';
import { startEtcd } from './support/etcd';
import { leaseLikeFlanneld, vxlan } from './support/flannel-leases';

const page = readFileSync(join(root, 'docs/output.md'), 'utf8');

it('docs/output.md names every kind, with a schema that is there', () => {
  const links = [...page.matchAll(/\[(\w+)\]\((schemas\/output\/\w+\.schema\.json)\)/g)];
  // The frame of all lists is no kind of its own.
  const kinds = Object.keys(outputDocuments).filter((kind) => kind !== 'List');
  expect(new Set(links.map(([, kind]) => kind))).toEqual(new Set(kinds));
  for (const [, , file = ''] of links) expect(existsSync(join(root, 'docs', file)), file).toBe(true);
});

it('the examples of docs/output.md say what is written above them', async () => {
  const etcd = await startEtcd();
  const cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
  try {
    await cli.netctl(['init-network', '10.1.0.0/22', '--backend', 'vxlan', '--subnet-len', '24']);
    leaseLikeFlanneld(etcd, 'v3', '10.1.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    leaseLikeFlanneld(etcd, 'v3', '10.1.2.0/24', vxlan('192.168.0.2', '0e:00:00:00:00:02'), { ttlSeconds: 900 });
    const printed: string[] = [];
    for (const [, example = ''] of page.matchAll(/```sh\n([\s\S]*?)```/g)) {
      const line = `netctl() { "${node}" "${runJs}" "$@"; }; ${example.replaceAll('10.1.21.7', '10.1.1.7')}`;
      const { stdout, stderr } = await runToEnd(['bash', '-c', line], {
        env: cleanEnv(cli.home, { NETCTL_ENDPOINTS: etcd.endpoints[0] }),
      });
      expect(stderr, example).toBe('');
      printed.push(stdout);
    }
    expect(printed).toEqual([
      '192.168.0.1\n192.168.0.2\n',
      '10.1.2.0/24\n',
      '66\n',
      'renewal-overdue\t/coreos.com/network/subnets/10.1.2.0-24\n',
      '{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}\n',
    ]);
  } finally {
    cli.remove();
    await etcd.stop();
  }
});
