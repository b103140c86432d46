import { describe, expect, it } from 'vitest';
import { type Doing, EndpointFailure, etcdError } from '../../src/lib/store/etcd-errors';
import { spokenFailure } from '../../src/lib/store/etcd-v3-member';
import { AllFailed, firstAnswer } from '../../src/lib/store/failover';
import { sleep } from '../support/etcd';

const doing: Doing = { verb: 'write', key: '/a', user: 'u', timeoutMs: 5000 };
const url = 'http://10.0.0.1:2379';

describe('what etcd says in words', () => {
  it.each([
    ['etcdserver: permission denied', 'permission-denied'],
    ['etcdserver: authentication failed, invalid user ID or password', 'auth-failed'],
    ['etcdserver: user name is empty', 'auth-needed'],
    ['etcdserver: invalid auth token', 'auth-needed'],
    ['etcdserver: mvcc: required revision has been compacted', 'compacted'],
    ['etcdserver: mvcc: database space exceeded', 'no-space'],
    ['etcdserver: corrupt cluster', 'corrupt'],
    ['etcdserver: too many requests', 'too-many-requests'],
    ['etcdserver: request is too large', 'request-too-large'],
    ['grpc: received message larger than max (4194400 vs. 2097152)', 'request-too-large'],
    ['etcdserver: no leader', 'no-quorum'],
    ['etcdserver: request timed out, possibly due to previous leader failure', 'timeout'],
    ['etcdserver: leader changed', 'interrupted'],
    ['etcdserver: duplicate key given in txn request', 'refused-request'],
  ])('%j is %s', (details, kind) => {
    expect(spokenFailure(Object.assign(new Error('x'), { details }), url)).toMatchObject({ kind, endpoint: url });
  });

  it('is left to an examination when only the transport spoke', () => {
    for (const details of ['No connection established', 'Deadline exceeded after 5.0s', '']) {
      expect(spokenFailure(Object.assign(new Error('x'), { details }), url)).toBeUndefined();
    }
    expect(spokenFailure(new TypeError('a bug'), url)).toBeUndefined();
  });
});

describe('the error for several endpoints', () => {
  const failed = (kind: EndpointFailure['kind'], endpoint: string) => new EndpointFailure(kind, endpoint, 'reason');

  it('has the code that all share, and names each', () => {
    const error = etcdError([failed('refused', 'http://a:1'), failed('refused', 'http://b:1')], doing);
    expect(error.code).toBe('etcd-refused');
    expect(error.message).toContain('http://a:1, http://b:1');
    expect(error.details).toHaveLength(2);
  });

  it('is that of the endpoint that gave an answer for all', () => {
    const error = etcdError([failed('refused', 'http://a:1'), failed('permission-denied', 'http://b:1')], doing);
    expect(error.code).toBe('etcd-permission-denied');
    expect(error.message).toContain('etcd http://b:1: user "u" has no right to write "/a"');
  });

  it('names an endpoint once that failed in several rounds', () => {
    const error = etcdError([failed('interrupted', url), failed('interrupted', url)], doing);
    expect(error.message).toMatch(/^etcd http:\/\/10\.0\.0\.1:2379: /);
  });
});

describe('asking endpoints in turn', () => {
  const race = { silenceMs: 50, deadlineMs: Number.POSITIVE_INFINITY };
  const refuse = (endpoint: string) => Promise.reject(new EndpointFailure('refused', endpoint, 'x'));

  it('asks nobody else when the first answers, and the next at once when one fails', async () => {
    const asked: string[] = [];
    const ask = async (endpoint: string) => {
      asked.push(endpoint);
      return endpoint === 'dead' ? refuse(endpoint) : endpoint;
    };
    expect(await firstAnswer(['live', 'other'], ask, race)).toEqual({ endpoint: 'live', answer: 'live' });
    expect(asked).toEqual(['live']);
    expect((await firstAnswer(['dead', 'live', 'other'], ask, race)).answer).toBe('live');
    expect(asked).toEqual(['live', 'dead', 'live']);
  });

  it('asks the next after a silence, takes the first answer, and calls the others off', async () => {
    const calledOff: string[] = [];
    const ask = async (endpoint: string, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => calledOff.push(endpoint));
      // The slow one never answers: an answer there is only when another is asked.
      if (endpoint === 'slow') await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return endpoint;
    };
    expect((await firstAnswer(['slow', 'quick', 'third'], ask, race)).endpoint).toBe('quick');
    expect(calledOff).toContain('slow');
  });

  it('leaves an endpoint alone that has begun to answer', async () => {
    const asked: string[] = [];
    const ask = async (endpoint: string, { answering }: { answering: () => void }) => {
      asked.push(endpoint);
      answering();
      await sleep(150);
      return endpoint;
    };
    await firstAnswer(['long', 'other'], ask, race);
    expect(asked).toEqual(['long']);
  });

  it('goes round again while failures pass, until the deadline', async () => {
    let asked = 0;
    const ask = async (endpoint: string) => {
      asked += 1;
      if (asked < 4) throw new EndpointFailure('interrupted', endpoint, 'x');
      return 'answer';
    };
    expect((await firstAnswer(['a'], ask, race)).answer).toBe('answer');
    const never = (endpoint: string) => Promise.reject(new EndpointFailure('interrupted', endpoint, 'x'));
    await expect(firstAnswer(['a'], never, { silenceMs: 50, deadlineMs: Date.now() + 120 })).rejects.toBeInstanceOf(
      AllFailed,
    );
  });

  it('does not go round again for what stays so, nor hide a bug', async () => {
    let asked = 0;
    const denied = (endpoint: string) => {
      asked += 1;
      return Promise.reject(new EndpointFailure('permission-denied', endpoint, 'x'));
    };
    await expect(firstAnswer(['a', 'b'], denied, race)).rejects.toBeInstanceOf(AllFailed);
    expect(asked).toBe(1);
    await expect(firstAnswer(['a', 'b'], () => Promise.reject(new TypeError('bug')), race)).rejects.toThrow(TypeError);
  });
});
