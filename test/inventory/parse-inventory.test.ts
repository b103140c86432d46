import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import { formatInventoryProblem } from '../../src/lib/inventory/inventory-problem';
import { parseInventory, readInventory } from '../../src/lib/inventory/parse-inventory';

const file = '/etc/cluster/netctl.yaml';

/** All problems as a person sees them, without the name of the file. */
function problemsOf(content: string | Uint8Array): readonly string[] {
  return readInventory(content, file).problems.map((problem) => formatInventoryProblem('', problem).slice(1));
}

describe('a valid inventory', () => {
  it('is read into absolute paths, split lists and nodes that carry their ssh', () => {
    const inventory = parseInventory(
      [
        'etcd:',
        '  endpoints: 10.4.7.12:2379, 10.4.7.21:2379',
        '  ca: certs/ca.pem',
        '  cert: ~/client.pem',
        '  key: /etc/ssl/key.pem',
        'network: { cidr: 172.7.0.0/16, backend: { type: host-gw } }',
        'flannel: { sha256: ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789 }',
        'ssh: { user: admin, port: 22, jump: bastion, identityFile: id }',
        'nodes:',
        '  - { name: hdss7-21, address: 10.4.7.21, subnet: 172.7.21.0/24, labels: [edge] }',
        '  - { name: hdss7-22, ssh: { user: root, jump: none } }',
        'docker:',
      ].join('\n'),
      file,
    );
    expect(inventory.etcd).toEqual({
      endpoints: ['10.4.7.12:2379', '10.4.7.21:2379'],
      ca: '/etc/cluster/certs/ca.pem',
      cert: `${homedir()}/client.pem`,
      key: '/etc/ssl/key.pem',
    });
    expect(inventory.network).toEqual({
      cidr: '172.7.0.0/16',
      backend: { type: 'host-gw', options: {} },
      avoid: [],
    });
    expect(inventory.flannel.sha256).toBe('abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789');
    expect(inventory.docker).toEqual({});
    expect(inventory.nodes).toEqual([
      {
        name: 'hdss7-21',
        address: '10.4.7.21',
        publicIP: '10.4.7.21',
        subnet: '172.7.21.0/24',
        labels: ['edge'],
        ssh: { user: 'admin', port: 22, jump: 'bastion', identityFile: '/etc/cluster/id' },
      },
      {
        name: 'hdss7-22',
        address: 'hdss7-22',
        labels: [],
        ssh: { user: 'root', port: 22, identityFile: '/etc/cluster/id' },
      },
    ]);
  });

  it('knows the line of every key', () => {
    const { lines } = parseInventory(
      'etcd:\n  endpoints:\n    - http://a:1\n  prefix: /x\nnodes:\n  - name: a\n',
      file,
    );
    expect(Object.fromEntries(lines)).toMatchObject({
      'etcd.endpoints': 2,
      'etcd.endpoints[0]': 3,
      'etcd.prefix': 4,
      'nodes[0].name': 6,
    });
  });

  it.each([
    ['a byte order mark', '\ufeffetcd: { prefix: /x }'],
    ['Windows line ends', 'etcd:\r\n  prefix: /x\r\n'],
    ['an alias', 'ssh: &a { user: x }\nnodes: [{ name: n, ssh: *a }]'],
    ['a start and an end mark', '---\netcd: { prefix: /x }\n...\n'],
    ['empty sections', 'etcd:\nnetwork:\nnodes:\n'],
    [
      'one address behind a port forwarder',
      'nodes: [{ name: a, address: 127.0.0.1, ssh: { port: 2201 } }, { name: b, address: 127.0.0.1, ssh: { port: 2202 } }]',
    ],
    [
      'the first subnet when subnetMin names it',
      'network: { cidr: 10.1.0.0/16, subnetMin: 10.1.0.0 }\nnodes: [{ name: a, subnet: 10.1.0.0/24 }]',
    ],
    [
      'IPv6 everywhere',
      'etcd: { endpoints: ["http://[::1]:2379"] }\nnetwork: { ipv6Cidr: "fc00::/48", ipv6SubnetLen: 64, backend: { type: vxlan } }\nnodes: [{ name: a, address: "fd00::1", publicIPv6: "fd00::1" }]',
    ],
    [
      'the smaller subnets of old flannel',
      'flannel: { version: v0.9.1 }\nnetwork: { cidr: 10.1.0.0/24 }\nnodes: [{ name: a, subnet: 10.1.0.128/25 }]',
    ],
  ])('may have %s', (_what, text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('what is wrong is told with line, column, rule and corrected form', () => {
  it.each<readonly [string, string | Uint8Array, readonly string[]]>([
    ['an empty file', '', ['1:1 holds no setting at all; try etcd: with its endpoints, or `netctl config init`']],
    [
      'only comments',
      '# nothing\n',
      ['1:1 holds no setting at all; try etcd: with its endpoints, or `netctl config init`'],
    ],
    ['a list', '- a', ['1:1 is a list; a map of keys belongs here']],
    ['a word', 'etcd', ['1:1 "etcd" is a text; a map of keys belongs here']],
    ['Latin-1', Uint8Array.from([0x61, 0x3a, 0xe9]), ['1:1 is not UTF-8 text; try it in UTF-8']],
    ['UTF-16', Uint8Array.from([0xff, 0xfe, 0x61, 0x00]), ['1:1 is UTF-16; an inventory is UTF-8; try it in UTF-8']],
    ['5 MiB', new Uint8Array(5 * 1024 * 1024), ['1:1 holds 5242880 bytes; an inventory has at most 4194304']],
    ['a tab', 'etcd:\n\tprefix: /x\n', ['2:1 a tab stands where YAML wants blanks; try two blanks for each level']],
    [
      'two documents',
      'etcd: {}\n---\nssh: {}\n',
      ['2:1 a second document begins here; an inventory is one; try one document a file'],
    ],
    [
      'a key twice',
      'etcd:\n  prefix: /a\n  prefix: /b\n',
      ['3:3 etcd.prefix: stands here again; the first is in line 2; try it once'],
    ],
    ['an unknown anchor', 'etcd: *x\n', ['1:1 etcd: there is no anchor &x above']],
    [
      'a merge key',
      'ssh:\n  <<: { user: x }\n',
      [
        '2:3 ssh: has a merge key (<<), which YAML 1.2 does not know; try the keys themselves; what all nodes share goes under ssh: or flannel:',
      ],
    ],
    ['a tag', 'etcd: !secret x\n', ['1:7 a tag (!…) is not for inventories; try the plain value']],
    ['100,000 brackets', '['.repeat(100_000), ['1:22 is nested too deeply for an inventory']],
    ['an alias in itself', 'etcd: &a\n  ca: *a\n', ['2:3 etcd.ca: there is no anchor &a above']],
    ['a prototype as key', '__proto__: { a: 1 }\n', ['1:1 __proto__: is not a key of an inventory']],
    [
      'a prototype as option',
      'flannel: { options: { __proto__: x } }',
      ['1:23 flannel.options.__proto__: is not a key of an inventory'],
    ],
    [
      'a misspelling',
      'etcd:\n  enpoints: http://a:1\n',
      ['2:13 etcd.enpoints: is not a key of an inventory; try endpoints:'],
    ],
    [
      "the seed's slip",
      'network:\n  SudbnetMax: 10.0.20.0\n',
      ['2:15 network.SudbnetMax: is not a key of an inventory; try subnetMax:'],
    ],
    [
      "another tool's word",
      'nodes:\n  - name: a\n    host: 10.4.7.21\n',
      ['3:11 nodes[0].host: is not a key of an inventory; try address:'],
    ],
    [
      'a key of another section',
      'nodes:\n  - name: a\n    user: root\n',
      ['3:11 nodes[0].user: is not a key of an inventory; try it as nodes[].ssh.user'],
    ],
    [
      'a number in quotes',
      'network: { subnetLen: "24" }',
      ['1:23 network.subnetLen: "24" is a text; a number belongs here; try 24 without quotes and unit'],
    ],
    [
      'a unit',
      'etcd: { timeoutSeconds: 5s }',
      ['1:25 etcd.timeoutSeconds: "5s" is a text; a number belongs here; try 5 without quotes and unit'],
    ],
    [
      'a version that is a number',
      'flannel:\n  version: 0.10\n',
      ['2:12 flannel.version: "0.10" is a number in YAML; a text belongs here; try "0.10"'],
    ],
    [
      'yes',
      'flannel: { ipMasq: yes }',
      ['1:20 flannel.ipMasq: "yes" is a text in YAML 1.2; true or false belongs here; try true'],
    ],
    [
      'off',
      'flannel: { ipMasq: off }',
      ['1:20 flannel.ipMasq: "off" is a text in YAML 1.2; true or false belongs here; try false'],
    ],
    [
      'no value',
      'etcd:\n  prefix:\n',
      ['2:3 etcd.prefix: has no value; a text belongs here; try the value, or leave the key out'],
    ],
    ['a fraction', 'ssh: { port: 22.5 }', ['1:14 ssh.port: 22.5 is not a whole number; try 22']],
    ['too large a number', 'ssh: { port: 65536 }', ['1:14 ssh.port: 65536 is too much; try at most 65535']],
    [
      'one word for a list',
      'nodes: [{ name: a, labels: edge }]',
      ['1:28 nodes[0].labels: "edge" is a text; a list belongs here; try [edge]'],
    ],
    [
      'a map of nodes',
      'nodes:\n  node1:\n    address: 10.0.0.1\n',
      ['1:1 nodes: is a map of keys; a list belongs here; try - name: … before each of them'],
    ],
    ['a node without a name', 'nodes:\n  - address: 10.0.0.1\n', ['2:5 nodes[0].name: is missing; try name: …']],
    [
      'a backend without a type',
      'network:\n  backend: { options: {} }\n',
      [
        '2:3 network.backend.type: is missing; try type: with one of vxlan, host-gw, wireguard, ipip, ipsec, udp, extension, alloc, tencent-vpc, ali-vpc, aws-vpc, gce',
      ],
    ],
    [
      'a word that is not allowed',
      'flannel: { service: supervisor }',
      ['1:21 flannel.service: "supervisor" is not one of systemd, supervisord; try supervisord'],
    ],
    [
      'an endpoint without a port',
      'etcd: { endpoints: [http://10.4.7.12] }',
      [
        '1:21 etcd.endpoints[0]: "http://10.4.7.12" is not an address of etcd: http://HOST:PORT or https://HOST:PORT without a path, IPv6 in brackets; try http://10.4.7.12:2379',
      ],
    ],
    [
      'mixed schemes',
      'etcd: { endpoints: [http://a:1, https://b:1] }',
      [
        '1:9 etcd.endpoints: http:// and https:// are mixed; all members of an etcd serve alike; try https:// before each of them',
      ],
    ],
    [
      'an endpoint twice',
      'etcd: { endpoints: [a:1, "http://a:1"] }',
      ['1:26 etcd.endpoints[1]: a:1 is entry 1 already; try each endpoint once'],
    ],
    [
      'a prefix that is an expression',
      'etcd: { prefix: /net(a }',
      [
        '1:17 etcd.prefix: "/net(a" cannot be a prefix: no blanks, and none of \\ ^ $ * + ? ( ) [ ] { } |, because flanneld reads it as a regular expression; try /neta',
      ],
    ],
    [
      'a range without a length',
      'network: { cidr: 10.1.0.0 }',
      ['1:18 network.cidr: "10.1.0.0" is not an IPv4 range: ADDRESS/LENGTH with a length of 0 to 32; try 10.1.0.0/16'],
    ],
    [
      'a range with a mask',
      'network: { cidr: 10.1.0.0/255.255.0.0 }',
      [
        '1:18 network.cidr: "10.1.0.0/255.255.0.0" is not an IPv4 range: ADDRESS/LENGTH with a length of 0 to 32; try 10.1.0.0/16',
      ],
    ],
    [
      'a range with host bits',
      'network: { cidr: 10.1.2.3/16 }',
      ['1:18 network.cidr: 10.1.2.3/16 has bits set behind its prefix length; try 10.1.0.0/16'],
    ],
    [
      'an address out of range',
      'nodes: [{ name: a, address: 10.4.7.256 }]',
      [
        '1:29 nodes[0].address: "10.4.7.256" is neither an IP address nor a host name (no scheme, no port, no user: those have keys of their own under ssh); try something like 10.4.7.21',
      ],
    ],
    [
      'an option for ssh in disguise',
      'ssh: { user: -oProxyCommand=x }',
      [
        '1:14 ssh.user: "-oProxyCommand=x" is not a user name: no blanks, no : @ or comma, no dash in front; try oProxyCommand=x',
      ],
    ],
    [
      'a certificate without its key',
      'etcd: { cert: a.pem }',
      [
        '1:15 etcd.cert: stands without key: a client certificate is of no use without its private key; try key: with the path of the private key',
      ],
    ],
    [
      'a flag with a key of its own',
      'flannel: { options: { iface: eth0 } }',
      ['1:30 flannel.options.iface: has a key of its own; try flannel.iface'],
    ],
    [
      'a flannel before all knowledge',
      'flannel: { version: 0.7.1 }',
      [
        '1:21 flannel.version: flannel v0.7.1 is not known to netctl: releases before v0.8.0 were another daemon (multi-network, client and server); try v0.28.9',
      ],
    ],
  ])('%s', (_what, content, wanted) => {
    expect(problemsOf(content)).toEqual(wanted);
  });

  it.each<readonly [string, string, readonly string[]]>([
    [
      'a name',
      '{ name: a, address: 10.0.0.1 }, { name: A, address: 10.0.0.2 }',
      ['nodes[1].name: A is the name of the node in line 2 too; try another name'],
    ],
    [
      'an address',
      '{ name: a, address: 10.0.0.1 }, { name: b, address: 10.0.0.1 }',
      [
        'nodes[1].address: 10.0.0.1 is the address of a in line 2 too; try the address of this node, or its own ssh.port',
      ],
    ],
    [
      'a public IP',
      '{ name: a, address: 10.0.0.1 }, { name: b, publicIP: 10.0.0.1 }',
      [
        'nodes[1].publicIP: 10.0.0.1 is the public IP of a too; flannel would take both for one node and give them one subnet; try publicIP: with the address that the other nodes reach this one by',
      ],
    ],
    [
      'an IPv6 address in other words',
      '{ name: a, publicIPv6: "fd00::1" }, { name: b, publicIPv6: "FD00:0::1" }',
      ['nodes[1].publicIPv6: fd00::1 is the public IPv6 of a too; try the IPv6 address of this node'],
    ],
    [
      'a subnet',
      '{ name: a, subnet: 10.1.5.0/24 }, { name: b, subnet: 10.1.5.0/24 }',
      ['nodes[1].subnet: 10.1.5.0/24 overlaps 10.1.5.0/24 of a in line 2; try a subnet of its own'],
    ],
  ])('%s that two nodes have', (_what, nodes, wanted) => {
    const lines = problemsOf(`network: { cidr: 10.1.0.0/16 }\nnodes: [${nodes}]`);
    expect(lines.map((line) => line.replace(/^\d+:\d+ /, ''))).toEqual(wanted);
  });

  it.each([
    ['172.7.21.1/24', '172.7.21.1/24 is an address in a subnet; what is wanted is the subnet; try 172.7.21.0/24'],
    [
      '172.7.21.0/25',
      '172.7.21.0/25 is a /25, but the subnets of this network are /24; flanneld would give it back; try 172.7.21.0/24',
    ],
    ['172.8.21.0/24', '172.8.21.0/24 lies outside the network 172.7.0.0/16; try 172.7.1.0/24'],
    [
      '172.7.0.0/24',
      '172.7.0.0/24 is not between 172.7.1.0 and 172.7.255.0, because flannel leaves out the first subnet unless network.subnetMin names it; try a subnet from 172.7.1.0/24 to 172.7.255.0/24',
    ],
  ])('a subnet that does not fit: %s', (subnet, wanted) => {
    expect(problemsOf(`network: { cidr: 172.7.0.0/16 }\nnodes: [{ name: a, subnet: ${subnet} }]`)).toEqual([
      `2:28 nodes[0].subnet: ${wanted}`,
    ]);
  });

  it('a subnet outside SubnetMin and SubnetMax', () => {
    const network = 'network: { cidr: 10.0.0.0/8, subnetMin: 10.0.1.0, subnetMax: 10.0.20.0 }';
    expect(problemsOf(`${network}\nnodes: [{ name: a, subnet: 10.0.21.0/24 }]`)).toEqual([
      '2:28 nodes[0].subnet: 10.0.21.0/24 is not between 10.0.1.0 and 10.0.20.0; try a subnet from 10.0.1.0/24 to 10.0.20.0/24',
    ]);
  });

  it('an overlap that hides behind other subnets in between', () => {
    const nodes = ['10.1.0.0/16', '10.1.1.0/24', '10.1.200.0/24'].map(
      (subnet, index) => `{ name: n${index}, subnet: ${subnet} }`,
    );
    expect(problemsOf(`nodes: [${nodes.join(', ')}]`).map((line) => line.replace(/^\d+:\d+ /, ''))).toEqual([
      'nodes[1].subnet: 10.1.1.0/24 overlaps 10.1.0.0/16 of n0 in line 1; try a subnet of its own',
      'nodes[2].subnet: 10.1.200.0/24 overlaps 10.1.0.0/16 of n0 in line 1; try a subnet of its own',
    ]);
  });

  it('a node or an etcd inside the network whose route would swallow it', () => {
    const text =
      'network: { cidr: 10.4.0.0/16 }\netcd: { endpoints: [http://10.4.7.12:2379] }\nnodes: [{ name: a, address: 10.4.7.21 }]';
    expect(problemsOf(text)).toEqual([
      "2:21 etcd.endpoints[0]: 10.4.7.12 lies inside the container network 10.4.0.0/16; flanneld's route would cut etcd off; try a network.cidr that holds no machine",
      "3:9 nodes[0].publicIP: 10.4.7.21 lies inside the container network 10.4.0.0/16; flanneld's route would cut the node off; try a network.cidr that holds no node",
    ]);
  });

  it('all of it at once: forms, kinds and what values have to do with each other', () => {
    const text = [
      'etcd:',
      '  endpoint: http://a:1',
      '  cert: a.pem',
      'nodes:',
      '  - name: a',
      '    subnet: 10.1.5.0/24',
      '    labels: edge',
      '  - name: a',
      '    subnet: 10.1.5.0/24',
    ].join('\n');
    expect(readInventory(text, file).problems.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '2 inventory-unknown-key',
      '3 inventory-tls',
      '7 inventory-wrong-type',
      '8 inventory-duplicate',
      '9 inventory-subnet',
    ]);
  });

  it('an error of one half does not make the other half one', () => {
    expect(problemsOf('etcd: { cert: 5, key: k.pem, user: [x], passwordFile: p }')).toHaveLength(2);
    expect(
      problemsOf('network: { cidr: 10.1.0.0/16, subnetLen: "25" }\nnodes: [{ name: a, subnet: 10.1.1.0/25 }]'),
    ).toHaveLength(1);
  });
});

describe('secrets', () => {
  const secret = 'hunter2-very-secret';

  it.each([
    ['a password', `etcd: { password: ${secret} }`],
    ['a password under another name', `etcd: { etcd-password: ${secret} }`],
    ['a password of sudo', `ssh: { sudoPassword: ${secret} }`],
    ['a passphrase', `nodes: [{ name: a, ssh: { passphrase: ${secret} } }]`],
    ['a user with its password', `etcd: { user: "root:${secret}" }`],
    ['an endpoint with its password', `etcd: { endpoints: ["http://root:${secret}@10.0.0.1:2379"] }`],
    ['a list of endpoints with a password', `etcd: { endpoints: "http://root:${secret}@10.0.0.1:2379,http://b:1" }`],
    ['a pasted key', `etcd:\n  cert: c.pem\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    ${secret}\n`],
    ["flanneld's password", `flannel: { options: { etcd-password: ${secret} } }`],
  ])('%s is refused with the place where it belongs, and never repeated', (_what, text) => {
    const { problems } = readInventory(text, file);
    expect(problems.map(({ code }) => code)).toEqual(['inventory-secret']);
    expect(problems[0]?.suggestion).toContain('passwordFile');
    expect(JSON.stringify(problems)).not.toContain(secret);
  });
});

describe('hostile texts', () => {
  it('a bomb of aliases is a problem', () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
    for (let index = 1; index < 12; index++)
      lines.push(
        `a${index}: &a${index} [${Array(9)
          .fill(`*a${index - 1}`)
          .join(',')}]`,
      );
    expect(problemsOf(lines.join('\n')).join('\n')).toContain('aliases (*…) stand for more than 10000 values here');
  });

  it('a value of a mebibyte is shortened in the message', () => {
    const lines = problemsOf(`etcd: { api: ${'x'.repeat(1024 * 1024)} }`);
    expect(lines.join('\n').length).toBeLessThan(300);
  });

  it('a key of a mebibyte is shortened in the path', () => {
    expect(problemsOf(`"${'x'.repeat(1024 * 1024)}": 1`).join('\n').length).toBeLessThan(400);
  });

  it('1,000 nodes are read', () => {
    const nodes = Array.from(
      { length: 1_000 },
      (_, index) => `  - name: n${index}\n    address: 10.9.${index >> 8}.${index & 255}\n    labels: [a, b]\n`,
    );
    expect(parseInventory(`nodes:\n${nodes.join('')}`, file).nodes).toHaveLength(1_000);
  });
});

it('an invalid inventory is one error whose details are the problems, at most 100 of them', () => {
  const nodes = Array.from({ length: 150 }, () => '  - { name: a, zzzz: 1 }\n');
  try {
    parseInventory(`nodes:\n${nodes.join('')}`, file, 'netctl.yaml');
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    expect(error.code).toBe('inventory-invalid');
    expect(error.details).toHaveLength(101);
    expect(error.details[0]).toMatch(/^netctl\.yaml:2:/);
    expect(error.details.at(-1)).toMatch(/^and \d+ more$/);
  }
});
