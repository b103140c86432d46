import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../support/built';
import { runNode } from '../support/run-node';

/** A process that is cut off by its own signal, so that nothing depends on when we send one. */
const run = (body: string) =>
  runNode(`
    import interrupt from ${JSON.stringify(join(root, 'src/lib/cli/interrupt.ts'))};
    const { beginNoMore, endQuietlyWhenCutOff, uninterrupted, withFarewell } = interrupt;
    endQuietlyWhenCutOff();
    const cut = (signal = 'SIGINT') => process.kill(process.pid, signal);
    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    ${body}
  `);

describe('a run that is cut off', () => {
  it('says farewell first, and what comes of the work then is of no interest', async () => {
    const { code, stdout } = await run(`
      try {
        await withFarewell(async () => { await pause(50); console.log('given back'); }, async () => {
          cut();
          await pause(20);
          throw new Error('not confirmed');
        });
      } catch (error) { console.log('told', error.message); process.exit(3); }
    `);
    expect([code, stdout]).toEqual([130, expect.stringMatching(/^(given back\n)+$/)]);
  });

  it('ends the write that is under way, begins no other, and then says farewell', async () => {
    const { code, stdout, stderr } = await run(`
      await withFarewell(async () => console.log('given back'), async () => {
        await uninterrupted(async () => { cut('SIGTERM'); await pause(100); console.log('written', beginNoMore.aborted); });
        console.log('went on');
      });
    `);
    expect([code, stdout]).toEqual([143, expect.stringMatching(/^written true\n(given back\n)+$/)]);
    expect(stderr).toContain('once more ends it now');
  });

  it('on a full disk finishes the write that is under way, gives back what it holds, and says why it ends', async () => {
    const { code, stdout, stderr } = await run(`
      const full = () => process.stderr.emit('error', Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
      await withFarewell(async () => console.log('given back'), async () => {
        await uninterrupted(async () => { full(); full(); await pause(50); console.log('written'); });
        console.log('went on');
      });
    `);
    expect([code, stdout]).toEqual([5, expect.stringMatching(/^written\n(given back\n)+$/)]);
    expect(stderr).toBe(
      'netctl: its output could not be written: ENOSPC: no space left on device, write (output-failed; exit code 5)\n',
    );
  });

  it('can be ended by another signal where Node waits for a pipe to which nobody writes', async () => {
    const began = performance.now();
    const ended = await run(`
      import { execFileSync } from 'node:child_process';
      import { open } from 'node:fs/promises';
      const fifo = '/tmp/netctl-fifo-' + process.pid;
      execFileSync('mkfifo', [fifo]);
      void open(fifo, 'r');
      await pause(100);
      execFileSync('sh', ['-c', '(sleep 1; kill -INT ' + process.pid + '; rm ' + fifo + ') >/dev/null 2>&1 &']);
      cut();
      await pause(60_000);
    `);
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(ended.stdout).toBe('');
  });

  it('begins no write any more while it says farewell', async () => {
    const { code, stdout } = await run(`
      await withFarewell(() => pause(200), async () => {
        cut();
        await pause(50);
        await uninterrupted(async () => console.log('written'));
      });
    `);
    expect([code, stdout]).toEqual([130, '']);
  });

  it('waits some seconds for a farewell that hangs, and not at all when it is told again', async () => {
    const hanging =
      'await withFarewell(() => new Promise(() => setInterval(() => {}, 1000)), async () => { cut(); await pause(50); WORK });';
    const began = performance.now();
    const [waited, told] = await Promise.all([
      run(hanging.replace('WORK', 'await pause(60_000);')).then((ended) => ({
        ...ended,
        ms: performance.now() - began,
      })),
      run(hanging.replace('WORK', 'cut(); await pause(60_000);')),
    ]);
    expect([waited.code, told.code]).toEqual([130, 130]);
    expect(waited.ms).toBeGreaterThan(2500);
  });

  it('has given back what it took when it ends by itself, well or badly', async () => {
    const { code, stdout } = await run(`
      console.log(await withFarewell(async () => console.log('one'), async () => 'value'));
      await withFarewell(async () => console.log('two'), async () => { throw new Error('x'); }).catch(({ message }) => console.log(message));
      process.exit(0);
    `);
    expect([code, stdout]).toEqual([0, 'one\nvalue\ntwo\nx\n']);
  });
});
