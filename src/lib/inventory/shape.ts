import * as z from 'zod/mini';
import { backendTypes } from '../net/backend';
import { type Form, forms } from './forms';

// zod/mini and not zod: bundled and from V8's code cache it starts in 1 ms instead of 7, and every command with an
// inventory pays that. Descriptions stand in key-reference.ts, which only the schema, the template and the docs load.

const text = (form: Form) => z.string().check(z.regex(form.pattern));
const optional = z.exactOptional;
const integer = (minimum: number, maximum: number) => z.int().check(z.minimum(minimum), z.maximum(maximum));
const seconds = () => z.number().check(z.minimum(0.1), z.maximum(600));
const port = () => integer(1, 65_535);
/** A heading with nothing under it, all of its keys commented out, is the same as no heading. */
const section = <S extends z.core.$ZodLooseShape>(shape: S) => optional(z.nullable(z.strictObject(shape)));
const endpoints = () =>
  z.union([text(forms.endpointList), z.array(text(forms.endpoint)).check(z.minLength(1), z.maxLength(64))]);

const sshKeys = () => ({
  user: optional(text(forms.sshUser)),
  port: optional(port()),
  identityFile: optional(text(forms.localPath)),
  jump: optional(text(forms.jump)),
  sudo: optional(z.enum(['none', 'nopasswd', 'password'])),
  knownHosts: optional(text(forms.localPath)),
  hostKey: optional(z.enum(['strict', 'accept-new', 'off'])),
  connectTimeoutSeconds: optional(seconds()),
});

const node = z.strictObject({
  name: text(forms.nodeName),
  address: optional(text(forms.address)),
  publicIP: optional(text(forms.ipv4)),
  publicIPv6: optional(text(forms.ipv6)),
  iface: optional(text(forms.iface)),
  subnet: optional(text(forms.ipv4Cidr)),
  ssh: section(sshKeys()),
  labels: optional(z.array(text(forms.label)).check(z.maxLength(64))),
});

/** What a `netctl.yaml` may hold, value by value. What values have to do with each other is in `check-inventory.ts`. */
export const inventoryShape = z.strictObject({
  etcd: section({
    endpoints: optional(endpoints()),
    prefix: optional(text(forms.prefix)),
    api: optional(z.enum(['auto', 'v2', 'v3'])),
    ca: optional(text(forms.localPath)),
    cert: optional(text(forms.localPath)),
    key: optional(text(forms.localPath)),
    user: optional(text(forms.etcdUser)),
    passwordFile: optional(text(forms.localPath)),
    timeoutSeconds: optional(seconds()),
  }),
  network: section({
    cidr: optional(text(forms.ipv4Cidr)),
    subnetLen: optional(integer(1, 30)),
    subnetMin: optional(text(forms.ipv4)),
    subnetMax: optional(text(forms.ipv4)),
    ipv6Cidr: optional(text(forms.ipv6Cidr)),
    ipv6SubnetLen: optional(integer(1, 126)),
    ipv6SubnetMin: optional(text(forms.ipv6)),
    ipv6SubnetMax: optional(text(forms.ipv6)),
    enableNFTables: optional(z.boolean()),
    backend: optional(
      z.strictObject({
        type: z.enum(backendTypes.map(({ type }) => type)),
        options: optional(
          z.nullable(z.record(text(forms.optionName), z.union([text(forms.optionValue), z.number(), z.boolean()]))),
        ),
      }),
    ),
    avoid: optional(z.array(text(forms.anyCidr)).check(z.maxLength(1_000))),
  }),
  flannel: section({
    version: optional(text(forms.flannelVersion)),
    archive: optional(text(forms.localPath)),
    sha256: optional(text(forms.sha256)),
    installDir: optional(text(forms.nodePath)),
    service: optional(z.enum(['systemd', 'supervisord'])),
    iface: optional(text(forms.iface)),
    ifaceRegex: optional(text(forms.expression)),
    ifaceCanReach: optional(text(forms.address)),
    ipMasq: optional(z.boolean()),
    subnetFile: optional(text(forms.nodePath)),
    healthzIP: optional(text(forms.ipv4)),
    healthzPort: optional(integer(0, 65_535)),
    etcd: section({
      endpoints: optional(endpoints()),
      ca: optional(text(forms.localPath)),
      cert: optional(text(forms.localPath)),
      key: optional(text(forms.localPath)),
      certDir: optional(text(forms.nodePath)),
      user: optional(text(forms.etcdUser)),
      passwordFile: optional(text(forms.localPath)),
    }),
    options: optional(
      z.nullable(z.record(text(forms.flagName), z.union([text(forms.flagValue), z.number(), z.boolean()]))),
    ),
  }),
  docker: section({
    style: optional(z.enum(['daemon-json', 'options-file'])),
    daemonJson: optional(text(forms.nodePath)),
    optionsFile: optional(text(forms.nodePath)),
    service: optional(text(forms.unit)),
    restartTimeoutSeconds: optional(seconds()),
  }),
  ssh: section(sshKeys()),
  nodes: optional(z.nullable(z.array(node).check(z.maxLength(65_536)))),
});

/** The file as plain data, after the shape was found right and before paths and defaults. */
export type InventoryFile = z.infer<typeof inventoryShape>;
