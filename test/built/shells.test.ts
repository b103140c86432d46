import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, ensureBuilt, node, runJs, runToEnd, temporaryFolder } from '../support/built';

const folder = temporaryFolder();
const bin = join(folder.path, 'bin');
const env = cleanEnv(folder.path);
env['PATH'] = `${bin}:${env['PATH']}`;

beforeAll(async () => {
  ensureBuilt();
  mkdirSync(bin);
  writeFileSync(join(bin, 'netctl'), `#!/bin/sh\nexec '${node}' '${runJs}' "$@"\n`);
  chmodSync(join(bin, 'netctl'), 0o755);
  writeFileSync(join(folder.path, 'some-file.yaml'), '');
});
afterAll(() => folder.remove());

// bin/test installs all three; elsewhere a shell that is missing is not tested.
const isMissing = (shell: string): boolean => spawnSync(shell, ['--version']).error !== undefined;

/** What bash would offer for the line: the function is called with the words as readline splits them. */
async function bash(line: string): Promise<readonly string[]> {
  // COMP_WORDBREAKS holds `=` and `:`, so readline hands `--output=js` over as three words.
  const words = line
    .split(' ')
    .flatMap((word) => word.split(/(=)/).filter((part, index) => part !== '' || index === 0));
  const script = `
    source <(netctl completion bash)
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
    COMP_CWORD=${words.length - 1}
    COMP_LINE='${line}'
    COMP_POINT=${line.length}
    compopt() { echo "compopt $*"; }
    _netctl netctl '${words.at(-1)}' '${words.at(-2)}'
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines((await runToEnd(['bash', '--norc', '-c', script], { env })).stdout);
}

/** fish completes a line by itself. */
async function fish(line: string): Promise<readonly string[]> {
  const script = `netctl completion fish | source; complete -C '${line}'`;
  return lines((await runToEnd(['fish', '--no-config', '-c', script], { env })).stdout);
}

/** zsh in a terminal of its own (zpty): what stands on the line after Tab, or the list that it shows. */
async function zsh(line: string): Promise<string> {
  const script = `
    zmodload zsh/zpty
    zpty -b child zsh -f -i
    zpty -w child "PROMPT='> '; autoload -U compinit; compinit -u -D; source <(netctl completion zsh); echo rea''dy"
    text=''
    for i in {1..200}; do
      while zpty -r -t child part; do text+=$part; done
      [[ $text == *ready* ]] && break
      sleep 0.05
    done
    sleep 0.1
    while zpty -r -t child part; do :; done
    zpty -w -n child $'${line}\\t'
    text=''
    quiet=0
    for i in {1..100}; do
      sleep 0.05
      more=0
      while zpty -r -t child part; do text+=$part; more=1; done
      [[ -n $text && $more == 0 ]] && (( quiet++ > 15 )) && break
      [[ $more == 1 ]] && quiet=0
    done
    print -r -- $text
    zpty -d child`;
  const { stdout } = await runToEnd(['zsh', '-f', '-c', script], { env: { ...env, TERM: 'dumb', COLUMNS: '200' } });
  return stdout;
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

describe.skipIf(isMissing('bash'))('completion in bash', () => {
  it('offers commands, flags, values and files', async () => {
    expect(await bash('netctl expl')).toEqual(['explain']);
    expect(await bash('netctl explain --js')).toEqual(['--json']);
    expect(await bash('netctl explain -o js')).toEqual(['json']);
    expect(await bash('netctl explain unknown-comm')).toEqual(['unknown-command']);
    expect(await bash('netctl explain --config ')).toEqual(['compopt -o default']);
  });

  it('completes after an equals sign, which bash makes a word of its own', async () => {
    expect(await bash('netctl explain --output=js')).toEqual(['json']);
    expect(await bash('netctl explain --output=')).toContain('json');
  });
});

describe.skipIf(isMissing('fish'))('completion in fish', () => {
  it('offers commands, flags, values and files with their descriptions', async () => {
    expect(await fish('netctl expl')).toEqual([expect.stringMatching(/^explain\tSay what/)]);
    expect(await fish('netctl explain --js')).toEqual([expect.stringMatching(/^--json\t/)]);
    expect(await fish('netctl explain --output=js')).toEqual(['--output=json']);
    expect(await fish('netctl explain --config some-')).toEqual([expect.stringMatching(/^some-file\.yaml/)]);
  });

  it('offers everything for an empty word', async () => {
    const offered = (await fish('netctl ')).map((line) => line.split('\t')[0]);
    expect(offered).toEqual(expect.arrayContaining(['completion', 'explain', 'help']));
  });
});

describe.skipIf(isMissing('zsh'))('completion in zsh', () => {
  it('completes a command, a flag and a value', async () => {
    expect(await zsh('netctl expl')).toContain('explain');
    expect(await zsh('netctl explain --js')).toContain('--json');
    expect(await zsh('netctl explain --output=js')).toContain('--output=json');
    expect(await zsh('netctl explain --config some-')).toContain('some-file.yaml');
  }, 60_000);

  it('lists what is possible with descriptions', async () => {
    const text = await zsh('netctl explain --');
    expect(text).toMatch(/--json\s+-- The same as -o json/);
  });
});
