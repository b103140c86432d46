import { describe, expect, it } from 'vitest';
import { screenOf } from '../../src/lib/view/format';
import { styler } from '../../src/lib/view/style';
import { terminal } from './screens';

const tty = { isTTY: true, columns: 100 };

describe('a screen', () => {
  it('is a terminal as wide as it says, or a pipe without end', () => {
    expect(screenOf(tty, { TERM: 'xterm-256color', LANG: 'en_GB.UTF-8' })).toEqual({
      isTerminal: true,
      columns: 100,
      colorLevel: 2,
      unicode: true,
    });
    expect(screenOf({}, { TERM: 'xterm' })).toEqual({
      isTerminal: false,
      columns: Number.POSITIVE_INFINITY,
      colorLevel: 0,
      unicode: false,
    });
    expect(screenOf({ isTTY: true, columns: 0 }, {}).columns).toBe(80);
    expect(screenOf({}, { COLUMNS: '60' }).columns).toBe(60);
    expect(screenOf(tty, { COLUMNS: 'evil' }).columns).toBe(100);
  });

  it.each([
    [{ NO_COLOR: '1', FORCE_COLOR: '3' }, 0],
    [{ NO_COLOR: '' }, 1],
    [{ FORCE_COLOR: '0' }, 0],
    [{ FORCE_COLOR: 'false' }, 0],
    [{ FORCE_COLOR: '' }, 1],
    [{ FORCE_COLOR: '3' }, 3],
    [{ CLICOLOR: '0' }, 0],
    [{ TERM: 'dumb' }, 0],
    [{ TERM: 'dumb', CLICOLOR_FORCE: '1' }, 1],
    [{ COLORTERM: 'truecolor' }, 3],
    [{ TERM: 'screen-256color' }, 2],
  ])('of a terminal with %o has colour level %i', (env, level) => {
    expect(screenOf(tty, env).colorLevel).toBe(level);
  });

  it.each([
    [{}, 0],
    [{ CLICOLOR_FORCE: '1' }, 1],
    [{ CLICOLOR_FORCE: '0' }, 0],
    [{ CLICOLOR_FORCE: '' }, 0],
    [{ FORCE_COLOR: '1' }, 1],
  ])('of a pipe with %o has colour level %i', (env, level) => {
    expect(screenOf({}, env).colorLevel).toBe(level);
  });

  it('knows UTF-8 by the first locale variable that is set', () => {
    expect(screenOf(tty, { LC_ALL: 'C', LANG: 'en_GB.UTF-8' }).unicode).toBe(false);
    expect(screenOf(tty, { LC_ALL: '', LC_CTYPE: 'C.utf8' }).unicode).toBe(true);
  });

  it('that is dumb has no cursor to move', () => {
    expect(screenOf(tty, { TERM: 'dumb' })).toMatchObject({ isTerminal: false, columns: 100 });
  });
});

describe('a style', () => {
  it('colours at its own level, whatever chalk thinks of the process', async () => {
    const style = await styler(terminal(80, 1));
    expect([style.good('a'), style.tone('bad', 'b'), style.tone('plain', 'c'), style.tone('bad', '')]).toEqual([
      '\x1b[32ma\x1b[39m',
      '\x1b[31mb\x1b[39m',
      'c',
      '',
    ]);
  });

  it('leaves texts alone without colour', async () => {
    const style = await styler(terminal(80, 0));
    expect(['good', 'warn', 'bad', 'dim', 'strong'].map((tone) => style.tone(tone as 'good', 'x'))).toEqual(
      Array(5).fill('x'),
    );
    expect(style.strong('x') + style.dim('y')).toBe('xy');
  });
});
