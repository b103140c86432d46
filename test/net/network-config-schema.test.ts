import { Ajv2020 } from 'ajv/dist/2020';
import { describe, expect, it } from 'vitest';
import { canonicalConfig } from '../../src/lib/net/network-config';
import { networkConfigSchema } from '../../src/lib/net/network-config-schema';

const validate = new Ajv2020({
  strict: true,
  strictRequired: false,
  strictTypes: false,
  allowUnionTypes: true,
}).compile(networkConfigSchema);

describe('the schema for editors', () => {
  it('takes what netctl writes', () => {
    const texts = [
      canonicalConfig({ network: '10.1.0.0/16', backend: { type: 'vxlan', options: { VNI: 7, DirectRouting: true } } }),
      canonicalConfig({
        network: '10.1.0.0/16',
        ipv6Network: 'fd00:10:1::/48',
        subnetLen: 24,
        subnetMin: '10.1.10.0',
        backend: { type: 'host-gw', options: {} },
      }),
      canonicalConfig({ network: '10.1.0.0/16', backend: { type: 'ipsec', options: { PSK: 'x'.repeat(96) } } }),
      canonicalConfig({
        ipv6Network: 'fd00::/48',
        enableIPv4: false,
        backend: { type: 'wireguard', options: { Mode: 'separate' } },
      }),
    ];
    for (const text of texts) expect([text, validate(JSON.parse(text)), validate.errors]).toEqual([text, true, null]);
  });

  it.each([
    ['no Backend', '{"Network":"10.1.0.0/16"}'],
    ['no Network', '{"Backend":{"Type":"vxlan"}}'],
    ['a misspelt key', '{"Network":"10.1.0.0/16","SudbnetMax":"10.1.1.0","Backend":{"Type":"vxlan"}}'],
    ['a misspelt option', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","Directrouting":true}}'],
    ['an option of another backend', '{"Network":"10.1.0.0/16","Backend":{"Type":"host-gw","VNI":1}}'],
    ['a number in quotes', '{"Network":"10.1.0.0/16","SubnetLen":"24","Backend":{"Type":"vxlan"}}'],
    ['a length of 31', '{"Network":"10.1.0.0/16","SubnetLen":31,"Backend":{"Type":"vxlan"}}'],
    ['leading zeros', '{"Network":"010.1.0.0/16","Backend":{"Type":"vxlan"}}'],
    ['a range without length', '{"Network":"10.1.0.0","Backend":{"Type":"vxlan"}}'],
    ['an unknown backend', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlam"}}'],
    ['a short ipsec key', '{"Network":"10.1.0.0/16","Backend":{"Type":"ipsec","PSK":"x"}}'],
    ['IPv6 without its network', '{"Network":"10.1.0.0/16","EnableIPv6":true,"Backend":{"Type":"vxlan"}}'],
  ])('refuses %s', (_name, text) => {
    expect(validate(JSON.parse(text))).toBe(false);
  });
});
