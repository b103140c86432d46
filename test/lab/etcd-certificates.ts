import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRunScript } from './exec';
import type { EtcdShape } from './shape';

/** The certificates of a lab's etcd, as paths on this machine. */
export interface EtcdCertificates {
  readonly caFile: string;
  readonly caKeyFile: string;
  readonly serverCertFile: string;
  readonly serverKeyFile: string;
  /** A client's, with clientAuth alone: what netctl and flanneld use. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
}

export function etcdCertificates(labFolder: string): EtcdCertificates {
  const file = (name: string) => join(labFolder, 'etcd', 'pki', name);
  return {
    caFile: file('ca.pem'),
    caKeyFile: file('ca-key.pem'),
    serverCertFile: file('server.pem'),
    serverKeyFile: file('server-key.pem'),
    clientCertFile: file('client.pem'),
    clientKeyFile: file('client-key.pem'),
  };
}

/** Makes a CA, one server certificate for all members, and a client's. Ten years: a lab's clock may be anything. */
export async function makeEtcdCertificates(labFolder: string, etcd: EtcdShape): Promise<void> {
  const folder = join(labFolder, 'etcd', 'pki');
  await mkdir(folder, { recursive: true });
  const names = ['localhost', ...etcd.members.map((member) => member.name)].map((name) => `DNS:${name}`);
  const addresses = ['127.0.0.1', ...etcd.members.map((member) => member.address)].map((address) => `IP:${address}`);
  const request = (name: string, subject: string) =>
    `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=${subject}' -keyout ${name}-key.pem -out ${name}.csr 2>/dev/null`;
  const sign = (name: string, extensions: readonly string[]) =>
    [
      `cat >${name}.ext <<'EXT'`,
      'basicConstraints=CA:FALSE',
      'keyUsage=digitalSignature',
      ...extensions,
      'EXT',
      `openssl x509 -req -in ${name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 -extfile ${name}.ext -out ${name}.pem 2>/dev/null`,
      `rm ${name}.csr ${name}.ext`,
    ].join('\n');
  await mustRunScript(
    [
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj '/CN=lab etcd CA' -keyout ca-key.pem -out ca.pem 2>/dev/null",
      request('server', 'lab etcd'),
      // Members are each other's clients too.
      sign('server', [
        'extendedKeyUsage=serverAuth,clientAuth',
        `subjectAltName=${[...names, ...addresses].join(',')}`,
      ]),
      request('client', 'lab client'),
      sign('client', ['extendedKeyUsage=clientAuth']),
    ].join('\n'),
    { cwd: folder },
  );
  for (const key of ['ca-key.pem', 'server-key.pem', 'client-key.pem']) await chmod(join(folder, key), 0o600);
}
