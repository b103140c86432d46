import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createSecrets, type Question } from '../../src/lib/host/secrets';

describe('what a person is asked', () => {
  it('comes one question at a time, and each only once', async () => {
    const asked: Question[] = [];
    let open = 0;
    const secrets = createSecrets(async (question) => {
      asked.push(question);
      open += 1;
      expect(open).toBe(1);
      await sleep(5);
      open -= 1;
      return question.kind;
    });
    await Promise.all([
      secrets.passphrase('/key', 1),
      secrets.passphrase('/key', 1),
      secrets.password('password', 'root', 'node1', 1),
      secrets.password('password', 'root', 'node2', 1),
      secrets.password('sudo-password', 'root', 'node1', 1),
      secrets.passphrase('/key', 2),
    ]);
    expect(asked.length).toBe(5);
  });

  it('is one password for all hosts when that is wanted; a host that refuses it is asked for alone', async () => {
    const asked: Question[] = [];
    const secrets = createSecrets(
      (question) => {
        asked.push(question);
        return Promise.resolve('x');
      },
      { onePasswordForAll: true },
    );
    await secrets.password('password', 'ops', 'node1', 1);
    await secrets.password('password', 'ops', 'node2', 1);
    await secrets.password('password', 'ops', 'node2', 2);
    expect(asked).toEqual([
      { kind: 'password', user: 'ops', attempt: 1 },
      { kind: 'password', user: 'ops', host: 'node2', attempt: 2 },
    ]);
  });

  it('is asked anew each time when the host asks: a code is good for one time', async () => {
    let count = 0;
    const secrets = createSecrets(() => Promise.resolve(String(++count)));
    expect(await secrets.answer('root', 'node1', 'Code: ', false)).toBe('1');
    expect(await secrets.answer('root', 'node1', 'Code: ', false)).toBe('2');
  });
});
