import { type BackendOption, type BackendType, backendTypes } from './backend';

type Schema = Readonly<Record<string, unknown>>;

const octet = '(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const ipv4Pattern = `${octet}(\\.${octet}){3}`;
const ipv6Pattern = '[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*';

const ipv4: Schema = { type: 'string', pattern: `^${ipv4Pattern}$` };
const ipv6: Schema = { type: ['string', 'null'], pattern: `^${ipv6Pattern}$` };

function optionSchema(option: BackendOption): Schema {
  const description = `${option.about} (flannel ${option.since} and later)`;
  const fallback = option.default === null ? {} : { default: option.default };
  switch (option.kind) {
    case 'bool':
      return { type: 'boolean', description, ...fallback };
    case 'int': {
      const [minimum, maximum] = option.range ?? [0, Number.MAX_SAFE_INTEGER];
      return { type: 'integer', minimum, maximum, description, ...fallback };
    }
    case 'string':
      return {
        type: 'string',
        ...(option.values === undefined ? {} : { enum: option.values }),
        description,
        ...fallback,
      };
    case 'any':
      return { type: ['string', 'array'], items: { type: 'string' }, description };
    default: {
      const never: never = option.kind;
      return never;
    }
  }
}

/** One backend: its Type and exactly its options, so that an editor completes them and marks misspelt ones. */
function backendSchema(backend: BackendType): Schema {
  const life = `flannel ${backend.since} ${backend.removed === null ? 'and later' : `until ${backend.removed}, which removed it`}`;
  const properties = Object.fromEntries(backend.options.map((option) => [option.name, optionSchema(option)]));
  const psk = backend.type === 'ipsec' ? { PSK: { ...properties['PSK'], minLength: 96 } } : {};
  return {
    title: backend.type,
    description: `${backend.about} (${life})`,
    type: 'object',
    properties: { Type: { const: backend.type }, ...properties, ...psk },
    required: backend.type === 'ipsec' ? ['Type', 'PSK'] : ['Type'],
    additionalProperties: false,
  };
}

/**
 * JSON Schema (draft 2020-12) of the value at `<prefix>/config`, for editors.
 * Stricter than flanneld, which folds the case of keys and ignores what it does not know: this is what to write.
 */
export const networkConfigSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'flannel network config',
  description: 'What flanneld reads at <prefix>/config in etcd, by default /coreos.com/network/config.',
  type: 'object',
  properties: {
    Network: {
      type: 'string',
      pattern: `^${ipv4Pattern}/([0-9]|[12][0-9]|3[0-2])$`,
      description: 'IPv4 range of the whole network, in private space. Needed unless EnableIPv4 is false.',
      examples: ['10.1.0.0/16'],
    },
    IPv6Network: {
      type: 'string',
      pattern: `^${ipv6Pattern}/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$`,
      description:
        'IPv6 range of the whole network. Needed when EnableIPv6 is true (v0.15.0 and later, with etcd v0.17.0).',
      examples: ['fd00:10:1::/48'],
    },
    EnableIPv4: { type: ['boolean', 'null'], default: true, description: 'v0.15.0 and later.' },
    EnableIPv6: { type: ['boolean', 'null'], default: false, description: 'v0.15.0 and later, with etcd v0.17.0.' },
    EnableNFTables: {
      type: ['boolean', 'null'],
      default: false,
      description: 'nftables instead of iptables (v0.25.0 and later).',
    },
    SubnetLen: {
      type: 'integer',
      minimum: 1,
      maximum: 30,
      description:
        'Prefix length of the subnet of a node; at least two more than that of Network. Default 24, or two more than Network when that is longer than /22.',
    },
    SubnetMin: {
      ...ipv4,
      description: 'First subnet to give out, on a SubnetLen boundary. Default: the second of Network.',
    },
    SubnetMax: {
      ...ipv4,
      description: 'Last subnet to give out, on a SubnetLen boundary. Default: the last of Network.',
    },
    IPv6SubnetLen: {
      type: 'integer',
      minimum: 1,
      maximum: 126,
      description: 'As SubnetLen, for IPv6. Default 64, or two more than IPv6Network when that is longer than /62.',
    },
    IPv6SubnetMin: { ...ipv6, description: 'As SubnetMin, for IPv6.' },
    IPv6SubnetMax: { ...ipv6, description: 'As SubnetMax, for IPv6.' },
    Backend: {
      description: 'How packets get from node to node. Without it flanneld takes udp, which is slow: always write it.',
      type: 'object',
      required: ['Type'],
      properties: { Type: { enum: backendTypes.map((backend) => backend.type) } },
      oneOf: backendTypes.map(backendSchema),
    },
  },
  required: ['Backend'],
  anyOf: [
    { required: ['Network'] },
    { required: ['IPv6Network', 'EnableIPv6'], properties: { EnableIPv4: { const: false } } },
  ],
  if: { required: ['EnableIPv6'], properties: { EnableIPv6: { const: true } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['IPv6Network'] },
  additionalProperties: false,
};
