import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Conflict, InvalidInput, Unreachable } from '../../src/lib/errors';
import { renderError } from '../../src/lib/view/error';
import { errorDocument } from '../../src/lib/view/schemas/error-document';
import { expectHarmless, hostileText } from './hostile';
import { expectGolden, pipe, screens, terminal } from './screens';

const unreachable = new Unreachable({
  code: 'etcd-refused',
  message:
    'etcd at http://10.0.0.1:2379: nothing listens there (connection refused), so the config of flannel cannot be read',
  details: ['tried http://10.0.0.1:2379, http://10.0.0.2:2379', 'answer: \x1b[31mECONNREFUSED\x1b[0m'],
  next: [
    'ssh 10.0.0.1 systemctl status etcd',
    'netctl doctor --etcd-endpoints http://10.0.0.1:2379,http://10.0.0.2:2379',
  ],
});

describe('a foreseen error', () => {
  for (const [name, screen] of screens) {
    it(`looks as it always did on ${name}`, async () => {
      expectGolden(`error-${name}`, await renderError(unreachable, screen, { json: false }));
    });
  }

  it('is a public document in JSON', async () => {
    const json: unknown = JSON.parse(await renderError(unreachable, pipe, { json: true }));
    expect(errorDocument.strict().parse(json)).toEqual({
      apiVersion: 'netctl/v1',
      kind: 'Error',
      code: 'etcd-refused',
      exit: 4,
      message: unreachable.message,
      details: unreachable.details,
      next: unreachable.next,
    });
  });

  it('shows no stack, but all causes when somebody debugs', async () => {
    const error = new Conflict({ code: 'x', message: 'm', cause: new AggregateError([new Error('one')], 'deep') });
    expect(await renderError(error, pipe, { json: false })).toBe('netctl: m\n(x; netctl explain x)\n');
    const debug = await renderError(error, pipe, { json: false, debug: true });
    expect(debug).toMatch(/Conflict: m\n +at /);
    expect(debug).toContain('caused by AggregateError: deep');
    expect(debug).toContain('of Error: one');
  });
});

describe('a bug', () => {
  it('says that it is one, and what to report', async () => {
    const text = await renderError(new TypeError('x is not a function'), pipe, { json: false });
    expect(text).toBe(
      [
        'netctl: this is a bug in netctl, not a mistake of yours: TypeError: x is not a function',
        'Next:',
        '  run it again with NETCTL_DEBUG=1 and report what it prints, with the command and netctl --version',
        '(bug; netctl explain bug)',
        '',
      ].join('\n'),
    );
    expect(await renderError(new TypeError('y'), pipe, { json: false, debug: true })).toMatch(/TypeError: y\n +at /);
    expect(JSON.parse(await renderError(new TypeError('y'), pipe, { json: true }))).toMatchObject({
      code: 'bug',
      exit: 1,
    });
  });

  it.each([
    undefined,
    null,
    'a string',
    Object.create(null) as unknown,
    {
      toString: () => {
        throw new Error('ha');
      },
    },
    Symbol('s'),
  ])('can be anything that was thrown', async (thrown) => {
    expect(await renderError(thrown, pipe, { json: false, debug: true })).toContain('this is a bug in netctl');
  });

  it('whose causes go in a circle ends', async () => {
    const error = new Error('a');
    error.cause = error;
    expect((await renderError(error, pipe, { json: false, debug: true })).split('caused by').length).toBeLessThan(10);
  });
});

it('errors are harmless, whatever is in them', async () => {
  await fc.assert(
    fc.asyncProperty(
      hostileText,
      fc.boolean(),
      fc.constantFrom(pipe, terminal(40, 1), terminal(25)),
      async (text, json, screen) => {
        const error = new InvalidInput({
          code: text,
          message: text,
          details: [text],
          next: [text],
          cause: new Error(text),
        });
        expectHarmless(await renderError(error, screen, { json, debug: true }), screen);
        expectHarmless(await renderError(new Error(text), screen, { json, debug: true }), screen);
      },
    ),
    { numRuns: 400 },
  );
});
