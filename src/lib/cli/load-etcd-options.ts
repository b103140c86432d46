import { createPrivateKey, X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import { InvalidInput } from '../errors';
import type { StoreOptions } from '../store/store';
import type { EtcdSettings, PasswordSource, Sourced } from './settings';

const maximumBytes = 1024 * 1024;

export interface LoadedEtcdOptions {
  readonly options: StoreOptions;
  /** Sentences for stderr: a key that others can read, a certificate that has expired. */
  readonly notices: readonly string[];
}

/**
 * Reads the files that the settings name. What is wrong with them is told before anything is sent.
 * @param askPassword asks the person on the terminal; absent when there is none
 * @throws InvalidInput `file-unreadable`, `file-too-large`, `pem-invalid`, `tls-key-mismatch`, `password-missing`, `password-empty`
 */
export async function loadEtcdOptions(
  settings: EtcdSettings,
  askPassword?: (user: string) => Promise<string>,
): Promise<LoadedEtcdOptions> {
  const notices: string[] = [];
  const [ca, cert, key, password] = await Promise.all([
    settings.ca === undefined ? undefined : readSettingFile(settings.ca, 'CA'),
    settings.cert === undefined ? undefined : readSettingFile(settings.cert, 'client certificate'),
    settings.key === undefined ? undefined : readSettingFile(settings.key, 'private key'),
    settings.password === undefined ? undefined : readPassword(settings.password, notices),
  ]);
  if (ca !== undefined) noteExpiry(certificateIn(ca), ca, notices);
  if (cert !== undefined && key !== undefined) checkClient(cert, key, notices);
  const options = {
    endpoints: settings.endpoints.value,
    timeoutMs: settings.timeoutMs.value,
    ...(ca === undefined ? {} : { ca: ca.bytes }),
    ...(cert === undefined ? {} : { cert: cert.bytes }),
    ...(key === undefined ? {} : { key: key.bytes }),
  };
  if (settings.user === undefined) return { options, notices };
  const name = settings.user.value;
  const secret = password ?? (await ask(name, askPassword));
  if (options.endpoints[0].startsWith('http://') && !options.endpoints.every(isLocal)) {
    notices.push(`the password of ${name} goes over the network unprotected: ${options.endpoints[0]} is plain http`);
  }
  return { options: { ...options, user: { name, password: secret } }, notices };
}

export interface LoadedFile {
  readonly what: string;
  readonly path: string;
  readonly from: string;
  readonly bytes: Buffer;
  /** Permission bits; 0 when it is not a regular file. */
  readonly mode: number;
}

/**
 * A file that a setting names, of a sensible size.
 * @param what stands before the path in messages: `CA`
 * @throws InvalidInput `file-unreadable`, `file-too-large`
 */
export async function readSettingFile(
  setting: Pick<Sourced<string>, 'value'> & { readonly source: { readonly name: string } },
  what: string,
): Promise<LoadedFile> {
  const path = setting.value;
  const from = setting.source.name;
  const fail = (code: string, reason: string, next: string, cause?: unknown): InvalidInput =>
    new InvalidInput({ code, message: `${what} ${path} (${from}) ${reason}`, next: [next], cause });
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(path, 'r');
    const info = await handle.stat();
    if (info.isDirectory()) throw fail('file-unreadable', 'is a directory', `Name the file: ls ${path}`);
    // One byte more than allowed tells the difference; the size that stat gives is 0 for pipes and devices.
    const buffer = Buffer.alloc(maximumBytes + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length <= maximumBytes; length += count) {
      count = (await handle.read(buffer, length, buffer.length - length)).bytesRead;
    }
    if (length > maximumBytes)
      throw fail('file-too-large', `holds more than ${maximumBytes} bytes`, 'Is it the right file?');
    if (length === 0) throw fail('file-unreadable', 'is empty', `ls -l ${path}`);
    return {
      what,
      path,
      from,
      bytes: Buffer.from(buffer.subarray(0, length)),
      mode: info.isFile() ? info.mode & 0o777 : 0,
    };
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw fail('file-unreadable', 'does not exist', `ls -l ${path}`, error);
    if (code === 'EACCES' || code === 'EPERM') {
      throw fail('file-unreadable', 'cannot be read: permission denied', `ls -l ${path}`, error);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw fail('file-unreadable', `cannot be read: ${reason}`, `ls -l ${path}`, error);
  } finally {
    await handle?.close();
  }
}

function pemInvalid(file: LoadedFile, reason: string, next: string, cause?: unknown): InvalidInput {
  return new InvalidInput({
    code: 'pem-invalid',
    message: `${file.what} ${file.path} (${file.from}) ${reason}`,
    next: [next],
    cause,
  });
}

function certificateIn(file: LoadedFile): X509Certificate {
  const text = file.bytes.toString('latin1');
  if (!/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(text)) {
    if (text.includes('PRIVATE KEY-----')) {
      const flags = file.what === 'CA' ? '--cacert' : '--cert';
      throw pemInvalid(
        file,
        'holds a private key where a certificate belongs',
        `${flags} CERTIFICATE --key ${file.path}`,
      );
    }
    if (text.includes('CERTIFICATE REQUEST-----')) {
      throw pemInvalid(
        file,
        'holds a request, which nobody has signed yet',
        'Give the certificate that the CA made of it',
      );
    }
    throw pemInvalid(
      file,
      'is not a PEM certificate',
      `openssl x509 -inform DER -in ${file.path} -out ${file.path}.pem`,
    );
  }
  try {
    return new X509Certificate(file.bytes);
  } catch (error) {
    throw pemInvalid(file, 'holds a damaged certificate', `openssl x509 -noout -text -in ${file.path}`, error);
  }
}

function checkClient(cert: LoadedFile, key: LoadedFile, notices: string[]): void {
  const certificate = certificateIn(cert);
  noteExpiry(certificate, cert, notices);
  const text = key.bytes.toString('latin1');
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    if (text.includes('-----BEGIN CERTIFICATE-----')) {
      throw pemInvalid(key, 'holds a certificate where a private key belongs', `--cert ${key.path} --key PRIVATE-KEY`);
    }
    throw pemInvalid(key, 'is not a PEM private key', `openssl pkey -inform DER -in ${key.path} -out ${key.path}.pem`);
  }
  if (/ENCRYPTED/.test(text)) {
    throw pemInvalid(
      key,
      'is locked with a passphrase, which netctl does not ask for',
      `openssl pkey -in ${key.path} -out unlocked.pem`,
    );
  }
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(key.bytes));
  } catch (error) {
    throw pemInvalid(key, 'holds a damaged private key', `openssl pkey -noout -check -in ${key.path}`, error);
  }
  if (!matches) {
    throw new InvalidInput({
      code: 'tls-key-mismatch',
      message: `private key ${key.path} (${key.from}) does not belong to the certificate ${cert.path} (${cert.from})`,
      next: [`openssl x509 -noout -pubkey -in ${cert.path}`, `openssl pkey -pubout -in ${key.path}`],
    });
  }
  noteMode(key, notices);
}

function noteExpiry(certificate: X509Certificate, file: LoadedFile, notices: string[]): void {
  const now = Date.now();
  if (Date.parse(certificate.validTo) < now) {
    notices.push(`${file.what} ${file.path} has expired on ${certificate.validTo}`);
  } else if (Date.parse(certificate.validFrom) > now) {
    notices.push(`${file.what} ${file.path} is not valid before ${certificate.validFrom}`);
  }
}

function noteMode(file: LoadedFile, notices: string[]): void {
  if ((file.mode & 0o077) === 0) return;
  const mode = file.mode.toString(8).padStart(4, '0');
  notices.push(`${file.what} ${file.path} can be read by others (mode ${mode}): chmod 600 ${file.path}`);
}

async function readPassword(setting: Sourced<PasswordSource>, notices: string[]): Promise<string> {
  const { value, source } = setting;
  if (value.kind === 'text') {
    if (value.text === '') throw passwordEmpty(source.name);
    return value.text;
  }
  return readPasswordFile({ value: value.path, source }, notices);
}

/**
 * The first line of a file.
 * @param notices gets a line when others may read the file
 * @throws InvalidInput `file-unreadable`, `file-too-large`, `password-empty`
 */
export async function readPasswordFile(
  setting: { readonly value: string; readonly source: { readonly name: string } },
  notices: string[],
): Promise<string> {
  const file = await readSettingFile(setting, 'password file');
  noteMode(file, notices);
  const [line = ''] = file.bytes.toString('utf8').split(/\r?\n/, 1);
  if (line === '') throw passwordEmpty(`${setting.value} (${setting.source.name})`);
  return line;
}

function passwordEmpty(where: string): InvalidInput {
  return new InvalidInput({
    code: 'password-empty',
    message: `${where} holds no password; its first line is taken`,
    next: ['Put the password into its first line, with nothing before it'],
  });
}

async function ask(user: string, askPassword: ((user: string) => Promise<string>) | undefined): Promise<string> {
  if (askPassword === undefined) {
    throw new InvalidInput({
      code: 'password-missing',
      message: `the password of etcd user ${JSON.stringify(user)} is not given, and there is no terminal to ask on`,
      next: ['--password-file FILE', 'NETCTL_PASSWORD=… in the environment', 'etcd.passwordFile in netctl.yaml'],
    });
  }
  return askPassword(user);
}

function isLocal(endpoint: string): boolean {
  return /^https?:\/\/(?:127\.|localhost[:/]|\[::1\])/.test(endpoint);
}
