import fc from 'fast-check';

/** Inventories that are valid, as plain data; each key is sometimes there and sometimes not. */
export const arbitraryInventory: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .record(
    {
      etcd: fc.record(
        {
          endpoints: fc.uniqueArray(
            fc.constantFrom('http://10.9.0.1:2379', 'http://etcd.example:2379', '[fd00::1]:2379'),
            { minLength: 1 },
          ),
          prefix: fc.constantFrom('/coreos.com/network', 'flannel-vxlan/network', '/a/b/'),
          api: fc.constantFrom('auto', 'v2', 'v3'),
          ca: path(),
          user: fc.constantFrom('root', 'flannel', 'no', '12'),
          timeoutSeconds: fc.constantFrom(0.1, 5, 600),
        },
        { requiredKeys: [] },
      ),
      network: fc.record(
        {
          cidr: fc.constantFrom('172.7.0.0/16', '172.0.0.0/9'),
          subnetLen: fc.constant(24),
          backend: fc.oneof(
            fc.record({ type: fc.constantFrom('host-gw', 'vxlan', 'udp') }),
            fc.record({
              type: fc.constant('vxlan'),
              options: fc.record({ VNI: fc.nat(), DirectRouting: fc.boolean() }, { requiredKeys: [] }),
            }),
          ),
          avoid: fc.array(fc.constantFrom('192.168.0.0/16', 'fd00::/8', '10.0.0.0/8')),
          enableNFTables: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      flannel: fc.record(
        {
          version: fc.constantFrom('v0.28.9', '0.11.0', 'v0.20.2-k3s1'),
          service: fc.constantFrom('systemd', 'supervisord'),
          ipMasq: fc.boolean(),
          healthzPort: fc.integer({ min: 0, max: 65_535 }),
          archive: path(),
          options: fc.dictionary(
            fc.constantFrom('v', 'iptables-resync'),
            fc.oneof(fc.nat(), fc.boolean(), fc.constant('x y')),
          ),
        },
        { requiredKeys: [] },
      ),
      docker: fc.record({ style: fc.constantFrom('daemon-json', 'options-file') }, { requiredKeys: [] }),
      ssh: ssh(),
      nodes: fc
        .array(
          fc.record({ ssh: ssh(), labels: fc.array(fc.constantFrom('edge', 'rack=2', 'a.b/c')) }, { requiredKeys: [] }),
          { maxLength: 20 },
        )
        .map((nodes) =>
          nodes.map((node, index) => ({
            name: `node-${index}`,
            address: `10.4.7.${index + 1}`,
            ...(index % 3 === 0 ? { subnet: `172.7.${index + 1}.0/24` } : {}),
            ...node,
          })),
        ),
    },
    { requiredKeys: [] },
  )
  .filter((inventory) => Object.keys(inventory).length > 0);

function path(): fc.Arbitrary<string> {
  return fc.constantFrom('certs/ca.pem', '/etc/ssl/ca.pem', '../with blank.pem', './ä.pem');
}

function ssh() {
  return fc.record(
    {
      user: fc.constantFrom('admin', 'root', 'DOMAIN\\me'),
      port: fc.integer({ min: 1, max: 65_535 }),
      jump: fc.constantFrom('bastion', 'admin@bastion.example:22', 'a@[fd00::1]:22,b'),
      sudo: fc.constantFrom('none', 'nopasswd', 'password'),
      hostKey: fc.constantFrom('strict', 'accept-new', 'off'),
    },
    { requiredKeys: [] },
  );
}
