import { createPrivateKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { BaseAgent, ParsedKey, PublicKeyEntry } from 'ssh2';
import { fingerprint, keyTypeName } from './known-hosts';
import type { Secrets } from './secrets';
import type { SshTarget } from './ssh-target';

type Ssh2 = typeof import('ssh2');

/** A key that can be offered to a host: its public part, and how to sign with it. */
export interface Identity {
  /** For messages: where it comes from and its fingerprint. */
  readonly label: string;
  readonly publicKey: ParsedKey;
  /** `hash` is one of Node's names, given for RSA. @throws Error in words for a person */
  sign(data: Buffer, hash: string | undefined): Promise<Buffer>;
}

/** A key file whose public part cannot be read without the passphrase. */
export interface LockedIdentity {
  readonly label: string;
  /** @throws Error in words for a person */
  unlock(): Promise<Identity>;
}

export interface Identities {
  /** In the order in which to offer them. */
  readonly found: readonly (Identity | LockedIdentity)[];
  /** What was named and cannot be used, with the reason. */
  readonly notes: readonly string[];
}

/** Reads keys once for all hosts; passphrases are asked only for a key that a host would take. */
export interface KeyRing {
  identities(target: SshTarget): Promise<Identities>;
}

const passphraseTries = 3;

export function createKeyRing(ssh2: Ssh2, secrets: Secrets): KeyRing {
  const files = new Map<string, Promise<KeyFile>>();
  const agents = new Map<string, Promise<AgentKeys>>();
  const once = <T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> => {
    const value = cache.get(key) ?? make();
    cache.set(key, value);
    return value;
  };

  return {
    async identities(target) {
      const notes: string[] = [];
      const named = [
        ...target.preferredIdentityFiles.map((file) => ({ file, isNamed: true })),
        ...target.identityFiles,
      ];
      const keyFiles = await Promise.all(
        named.map(async ({ file, isNamed }) => ({
          file,
          isNamed,
          key: await once(files, file, () => readKeyFile(ssh2, secrets, file)),
        })),
      );
      const agent: AgentKeys =
        target.agentSocket === undefined
          ? { keys: [] }
          : await once(agents, target.agentSocket, () => askAgent(ssh2, target.agentSocket ?? ''));
      if (agent.failure !== undefined) notes.push(agent.failure);

      const fromFiles: {
        identity: Identity | LockedIdentity | undefined;
        blob: Buffer | undefined;
        isPreferred: boolean;
      }[] = [];
      for (const [index, { file, isNamed, key }] of keyFiles.entries()) {
        const isPreferred = index < target.preferredIdentityFiles.length;
        if (key.kind === 'unusable') {
          if (isNamed || !key.isMissing) notes.push(`key ${file}: ${key.reason}`);
        } else {
          const blob = key.publicKey?.getPublicSSH();
          const held = blob && agent.keys.find(({ publicKey }) => publicKey.getPublicSSH().equals(blob));
          if (key.kind === 'public' && held === undefined)
            notes.push(`key ${file}: only the public part, and the agent does not hold it`);
          fromFiles.push({ identity: held ?? key.identity, blob, isPreferred });
        }
      }
      const isFromAgent = (identity: unknown) => agent.keys.some((key) => key === identity);
      const isInFiles = ({ publicKey }: Identity) =>
        fromFiles.some(({ blob }) => blob?.equals(publicKey.getPublicSSH()) === true);
      const ordered = [
        ...fromFiles.filter(({ isPreferred }) => isPreferred).map(({ identity }) => identity),
        // As OpenSSH: keys of the agent that files name, the agent's others, files that only we can read.
        ...fromFiles.map(({ identity }) => identity).filter(isFromAgent),
        ...(target.identitiesOnly ? [] : agent.keys.filter((key) => !isInFiles(key))),
        ...fromFiles.map(({ identity }) => identity),
      ];
      const found = [...new Set(ordered)].filter((identity) => identity !== undefined);
      return { found, notes };
    },
  };
}

interface AgentKeys {
  readonly keys: readonly Identity[];
  readonly failure?: string;
}

function askAgent(ssh2: Ssh2, socket: string): Promise<AgentKeys> {
  const agent: BaseAgent = ssh2.createAgent(socket);
  return new Promise((resolve) => {
    // A socket that nobody serves any more (an ssh session that ended) may keep silent for ever.
    const timer = setTimeout(() => resolve({ keys: [], failure: `agent ${socket}: no answer within 3 s` }), 3000);
    agent.getIdentities((error, keys) => {
      clearTimeout(timer);
      if (error) return resolve({ keys: [], failure: `agent ${socket}: ${error.message}` });
      resolve({ keys: (keys ?? []).flatMap((key) => agentIdentity(ssh2, agent, key)) });
    });
  });
}

/** Nothing for kinds of keys that ssh2 cannot use: certificates, and those on a security key (sk-…). */
function agentIdentity(
  ssh2: Ssh2,
  agent: BaseAgent,
  key: string | Buffer | ParsedKey | PublicKeyEntry,
): readonly Identity[] {
  const blob = typeof key === 'object' && 'pubKey' in key ? key.pubKey : key;
  const source = typeof blob === 'object' && 'pubKey' in blob ? blob.pubKey : blob;
  const [publicKey] = usable(ssh2.utils.parseKey(source));
  if (publicKey === undefined) return [];
  const comment = publicKey.comment === '' ? '' : ` (${publicKey.comment})`;
  return [
    {
      label: `agent's key ${describeKey(publicKey)}${comment}`,
      publicKey,
      sign: (data, hash) =>
        new Promise((done, fail) => {
          const options = hash === undefined ? {} : ({ hash: hash === 'sha512' ? 'sha512' : 'sha256' } as const);
          agent.sign(publicKey, data, options, (failure, signature) => {
            if (failure || signature === undefined) fail(failure ?? new Error('the agent gave no signature'));
            else done(signature);
          });
        }),
    },
  ];
}

type KeyFile =
  | { readonly kind: 'ready' | 'public'; readonly publicKey: ParsedKey; readonly identity: Identity | undefined }
  | { readonly kind: 'locked'; readonly publicKey: undefined; readonly identity: LockedIdentity }
  | { readonly kind: 'unusable'; readonly reason: string; readonly isMissing: boolean };

async function readKeyFile(ssh2: Ssh2, secrets: Secrets, file: string): Promise<KeyFile> {
  const read = await readGuarded(file);
  if ('reason' in read) return { kind: 'unusable', ...read };
  const [key] = usable(ssh2.utils.parseKey(read.text));
  if (key !== undefined && !key.isPrivateKey()) return { kind: 'public', publicKey: key, identity: undefined };
  if (read.isOpenToOthers) {
    // OpenSSH refuses such a key as well.
    return {
      kind: 'unusable',
      isMissing: false,
      reason: `others may read it; netctl takes it after: chmod 600 ${file}`,
    };
  }
  const plain = key ?? parsePkcs8(ssh2, read.text, undefined);
  if (plain !== undefined) {
    return { kind: 'ready', publicKey: plain, identity: identityOf(file, plain, () => Promise.resolve(plain)) };
  }
  if (!/ENCRYPTED|-----BEGIN OPENSSH PRIVATE KEY-----|^PuTTY-User-Key-File-/m.test(read.text)) {
    return { kind: 'unusable', isMissing: false, reason: 'not a private key that netctl can read' };
  }

  let unlocked: Promise<ParsedKey> | undefined;
  const unlock = () => {
    unlocked ??= unlockKey(ssh2, secrets, file, read.text);
    return unlocked;
  };
  const publicKey = await publicPart(ssh2, file, read.text);
  if (publicKey !== undefined) return { kind: 'ready', publicKey, identity: identityOf(file, publicKey, unlock) };
  const label = `key ${file}`;
  return {
    kind: 'locked',
    publicKey: undefined,
    identity: {
      label,
      async unlock() {
        const opened = await unlock();
        return identityOf(file, opened, () => Promise.resolve(opened));
      },
    },
  };
}

async function readGuarded(
  file: string,
): Promise<{ text: string; isOpenToOthers: boolean } | { reason: string; isMissing: boolean }> {
  try {
    const { mode, uid } = await stat(file);
    const isOpenToOthers = uid === process.getuid?.() && (mode & 0o077) !== 0;
    return { text: await readFile(file, 'latin1'), isOpenToOthers };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    return { isMissing, reason: isMissing ? 'no such file' : error instanceof Error ? error.message : String(error) };
  }
}

function identityOf(file: string, publicKey: ParsedKey, open: () => Promise<ParsedKey>): Identity {
  return {
    label: `key ${file} ${describeKey(publicKey)}`,
    publicKey,
    async sign(data, hash) {
      const signature: Buffer | Error = (await open()).sign(data, hash);
      if (signature instanceof Error) throw signature;
      return signature;
    },
  };
}

function describeKey(key: ParsedKey): string {
  return `${keyTypeName(key.type)} ${fingerprint(key.getPublicSSH())}`;
}

async function unlockKey(ssh2: Ssh2, secrets: Secrets, file: string, text: string): Promise<ParsedKey> {
  for (let attempt = 1; attempt <= passphraseTries; attempt++) {
    const passphrase = await secrets.passphrase(file, attempt);
    if (passphrase === undefined) throw new Error('it has a passphrase, which nobody gave');
    const [key] = usable(ssh2.utils.parseKey(text, passphrase));
    const opened = key ?? parsePkcs8(ssh2, text, passphrase);
    if (opened?.isPrivateKey() === true) return opened;
  }
  throw new Error(`the passphrase was wrong ${passphraseTries} times`);
}

/** `ssh2` does not read PKCS #8, which openssl writes by default; node:crypto turns it into what it does read. */
function parsePkcs8(ssh2: Ssh2, text: string, passphrase: string | undefined): ParsedKey | undefined {
  if (!/-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(text)) return undefined;
  try {
    const key = createPrivateKey({ key: text, ...(passphrase !== undefined && { passphrase }) });
    const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1';
    return usable(ssh2.utils.parseKey(key.export({ type, format: 'pem' }).toString()))[0];
  } catch {
    return undefined;
  }
}

/** The public part stands unencrypted in OpenSSH's own format; for older ones there may be a `.pub` beside. */
async function publicPart(ssh2: Ssh2, file: string, text: string): Promise<ParsedKey | undefined> {
  const [, base64] = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(text) ?? [];
  const blob = base64 === undefined ? undefined : publicBlob(Buffer.from(base64, 'base64'));
  const source = blob ?? (await readFile(`${file}.pub`).catch(() => undefined));
  return source === undefined ? undefined : usable(ssh2.utils.parseKey(source))[0];
}

/** PROTOCOL.key of OpenSSH: magic, cipher, kdf, kdf options, number of keys, public key. */
function publicBlob(content: Buffer): Buffer | undefined {
  const magic = 'openssh-key-v1\0';
  if (content.subarray(0, magic.length).toString('latin1') !== magic) return undefined;
  let at = magic.length;
  try {
    for (let skipped = 0; skipped < 3; skipped++) at += 4 + content.readUInt32BE(at);
    const length = content.readUInt32BE(at + 4);
    const blob = content.subarray(at + 8, at + 8 + length);
    return blob.length === length ? blob : undefined;
  } catch {
    return undefined;
  }
}

/** What `parseKey` gives, which may be one key, several or an error. */
function usable(parsed: ParsedKey | readonly ParsedKey[] | Error): readonly ParsedKey[] {
  if (parsed instanceof Error) return [];
  return Array.isArray(parsed) ? parsed : [parsed].flat();
}
