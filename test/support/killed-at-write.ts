import { spawn } from 'node:child_process';
import net from 'node:net';
import { cleanEnv, node, runJs } from './built';

/**
 * Runs the built netctl with etcd v2, which speaks HTTP, so that a relay in between sees each write as one request; does something at the
 * N-th moment: odd ones are just before a write reaches etcd, even ones just after etcd has answered.
 * @param etcd the port of etcd on this machine, and the home and settings of the run; `instead` of killing netctl there something else
 *   is done, which the answer waits for
 */
export async function killedAtWrite(
  argv: readonly string[],
  moment: number,
  etcd: {
    readonly port: number;
    readonly home: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly instead?: () => void;
  },
): Promise<{ readonly wasKilled: boolean; readonly status: number | null; readonly writes: number }> {
  let writes = 0;
  let child: ReturnType<typeof spawn> | undefined;
  let isWrite = false;
  const server = net.createServer((near) => {
    const far = net.connect(etcd.port, '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.on('close', () => far.destroy());
    near.on('data', (chunk: Buffer) => {
      isWrite = /^(PUT|DELETE) /.test(chunk.toString('latin1', 0, 8));
      if (isWrite) writes += 1;
      if (isWrite && moment === 2 * writes - 1) child?.kill('SIGKILL');
      else far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (isWrite && moment === 2 * writes && etcd.instead === undefined) child?.kill('SIGKILL');
      else {
        if (isWrite && moment === 2 * writes) etcd.instead?.();
        near.write(chunk);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  const settings = { ...etcd.env, NETCTL_ETCD_API: 'v2', NETCTL_ENDPOINTS: `http://127.0.0.1:${address.port}` };
  const run = spawn(node, [runJs, ...argv], { env: cleanEnv(etcd.home, settings), cwd: etcd.home, stdio: 'ignore' });
  child = run;
  const { status, signal } = await new Promise<{ status: number | null; signal: string | null }>((resolve) =>
    run.once('exit', (code, by) => resolve({ status: code, signal: by })),
  );
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return { wasKilled: signal === 'SIGKILL', status, writes };
}
