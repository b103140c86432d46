import type { Interfaces } from '@oclif/core';
import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { outputFormats } from '../view/format';

/** `subnets ls` + `sort` → `NETCTL_SUBNETS_LS_SORT`. */
function variableName(...words: readonly string[]): string {
  return ['netctl', ...words].join('_').toUpperCase().replaceAll(/[ -]/g, '_');
}

function withVariables<F extends Interfaces.FlagInput>(flags: F, name: (flag: string) => string): F {
  for (const [flag, definition] of Object.entries(flags)) definition.env = name(flag);
  return flags;
}

/**
 * Flags of one command; each can be set by `NETCTL_<COMMAND>_<FLAG>`.
 * The command stands in the name so that a `--force` meant for one command is never taken up by another.
 */
export function ownFlags<F extends Interfaces.FlagInput>(command: string, flags: F): F {
  return withVariables(flags, (flag) => variableName(command, flag));
}

/** For a command that changes the network in etcd under the lock of one operator. */
export const lockFlags = (command: string) =>
  ownFlags(command, {
    'break-lock': Flags.boolean({
      summary: 'Take the lock from another operator, whose run then changes nothing more.',
    }),
  });

/** For a command that goes to hosts by SSH. */
export const hostKeyFlag = (command: string) =>
  ownFlags(command, {
    'host-key': Flags.option({
      options: ['strict', 'accept-new', 'off'] as const,
      summary: 'What to do with the key of a host: strict takes known ones only.',
    })(),
  });

/**
 * Which nodes of the inventory a command is about, and how they are gone to.
 * @param options.atOnce so many at a time unless `--serial` says otherwise; looking takes more of them than changing
 * @param options.isAllByDefault all are meant when none is named
 */
export const nodeFlags = (
  command: string,
  options: { readonly atOnce: number; readonly isAllByDefault?: boolean; readonly serial?: string },
) => ({
  ...ownFlags(command, {
    all: Flags.boolean({
      summary: `All nodes of the inventory${options.isAllByDefault === true ? ', as when none is named' : ''}.`,
    }),
    limit: Flags.string({
      summary: 'Only nodes whose name matches, or with a label: web*, @rack1; can be repeated.',
      helpValue: 'PATTERN',
      multiple: true,
      multipleNonGreedy: true,
    }),
    serial: Flags.integer({
      summary: options.serial ?? 'So many nodes at a time.',
      helpValue: 'N',
      default: options.atOnce,
      min: 1,
      max: 64,
    }),
  }),
  ...hostKeyFlag(command),
});

/** For a command that changes nodes. */
export const nodeChangeFlags = (command: string, options: { readonly stopsContainers?: boolean } = {}) =>
  ownFlags(command, {
    'max-failures': Flags.integer({
      summary: 'Begin no further node after so many have failed.',
      helpValue: 'N',
      min: 1,
    }),
    'dry-run': Flags.boolean({ summary: 'Show what would be done, with differences; do nothing.' }),
    yes: Flags.boolean({
      char: 'y',
      summary: options.stopsContainers === true ? 'Do not ask, also where containers stop.' : 'Do not ask.',
    }),
  });

/** Flags with one meaning everywhere; each can be set by `NETCTL_<FLAG>`. Call it afresh per command: oclif keeps state in them. */
function sharedFlags<F extends Interfaces.FlagInput>(flags: F): F {
  return withVariables(flags, (flag) => variableName(flag));
}

export const inventoryFlags = () =>
  sharedFlags({
    config: Flags.string({
      summary: 'The inventory file; else ./netctl.yaml, then the one in your configuration directory.',
      helpValue: 'FILE',
      helpGroup: 'GLOBAL',
    }),
  });

export const outputFlags = () =>
  sharedFlags({
    output: Flags.option({
      char: 'o',
      options: outputFormats,
      summary: 'How to print the data.',
      helpGroup: 'OUTPUT',
    })(),
    // Not exclusive with `output`: NETCTL_OUTPUT in the environment must not forbid --json.
    json: Flags.boolean({ summary: 'The same as -o json, and beats it.', helpGroup: 'OUTPUT' }),
  });

export const etcdFlags = () =>
  sharedFlags({
    endpoints: Flags.string({
      summary: 'Addresses of etcd, with commas between them.',
      helpValue: 'URL,…',
      helpGroup: 'ETCD',
    }),
    prefix: Flags.string({ summary: "flanneld's --etcd-prefix.", helpValue: 'KEY', helpGroup: 'ETCD' }),
    'etcd-api': Flags.option({
      options: ['auto', 'v2', 'v3'] as const,
      summary: 'flannel up to v0.17 lives in v2, from v0.18 in v3; auto looks where the prefix is.',
      helpGroup: 'ETCD',
    })(),
    cacert: Flags.string({
      summary: "The CA that signed etcd's certificate.",
      helpValue: 'FILE',
      helpGroup: 'ETCD',
    }),
    cert: Flags.string({ summary: 'Our client certificate.', helpValue: 'FILE', helpGroup: 'ETCD' }),
    key: Flags.string({ summary: 'Its private key.', helpValue: 'FILE', helpGroup: 'ETCD' }),
    user: Flags.string({
      summary: 'etcd user; the password is asked for, or comes from --password-file or NETCTL_PASSWORD.',
      helpValue: 'NAME',
      helpGroup: 'ETCD',
    }),
    'password-file': Flags.string({ summary: 'File that holds the password.', helpValue: 'FILE', helpGroup: 'ETCD' }),
    timeout: Flags.string({
      summary: 'Longest wait for one answer, in seconds.',
      helpValue: 'SECONDS',
      helpGroup: 'ETCD',
    }),
  });

export const flannelFlag = () =>
  sharedFlags({
    flannel: Flags.string({
      summary: 'The flannel release to judge by; else that of the inventory, else the newest known.',
      helpValue: 'VERSION',
    }),
  });

/** A positional argument that is never read from a pipe behind the user's back (oclif's default is to wait for stdin). */
export function argument(options: { readonly description: string; readonly required?: boolean }) {
  return Args.string({ description: options.description, ignoreStdin: true });
}
export function requiredArgument(options: { readonly description: string }) {
  return Args.string({ description: options.description, ignoreStdin: true, required: true });
}
/** Any number of positional arguments. */
export function severalArguments(options: { readonly description: string }) {
  return Args.string({ description: options.description, ignoreStdin: true, multiple: true });
}
