import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, temporaryFolder } from './support/built';

const require = createRequire(import.meta.url);
const {
  forbidden,
}: {
  readonly forbidden: readonly { readonly name: string; readonly comment: string }[];
} = require('../.dependency-cruiser.cjs');

/** For every rule a file that breaks it, and what it imports. */
const broken: Readonly<Record<string, readonly [file: string, imports: string]>> = {
  'errors-know-nothing': ['src/lib/errors.ts', './net/cidr'],
  'net-knows-only-what-is-below-it': ['src/lib/net/upward.ts', '../plan/plan'],
  'inventory-knows-only-what-is-below-it': ['src/lib/inventory/upward.ts', '../plan/plan'],
  'fact-knows-only-what-is-below-it': ['src/lib/fact/upward.ts', '../check/check'],
  'plan-knows-only-what-is-below-it': ['src/lib/plan/upward.ts', '../engine/engine'],
  'check-knows-only-what-is-below-it': ['src/lib/check/upward.ts', '../view/list'],
  'engine-knows-only-what-is-below-it': ['src/lib/engine/upward.ts', '../store/etcd-v2'],
  'the-store-port-knows-nothing': ['src/lib/store/store.ts', '../net/cidr'],
  'the-host-port-knows-nothing': ['src/lib/host/host.ts', '../net/cidr'],
  'host-adapters-know-net-and-the-port': ['src/lib/host/local.ts', '../plan/plan'],
  'store-adapters-know-net-and-the-port': ['src/lib/store/etcd-v2.ts', '../inventory/inventory'],
  'adapters-are-chosen-in-one-place': ['src/lib/cli/other-session.ts', '../store/etcd-v2'],
  'view-renders-values': ['src/lib/view/asking.ts', '../cli/session'],
  'view-knows-decisions-by-their-types': ['src/lib/view/deciding.ts', '../plan/plan'],
  'explain-stays-a-book': ['src/lib/explain/living.ts', '../check/check'],
  'explain-is-read-by-its-command': ['src/lib/cli/reading.ts', '../explain/topic'],
  'commands-stand-alone': ['src/commands/a.ts', './b'],
  'commands-do-not-reach-into-the-store': ['src/commands/reaching.ts', '../lib/store/store'],
  'nobody-imports-a-command': ['src/lib/cli/calling.ts', '../../commands/b'],
  'etcd3-has-one-owner': ['src/lib/engine/etcd.ts', '@grpc/grpc-js'],
  'ssh2-has-one-owner': ['src/lib/engine/ssh.ts', 'ssh2'],
  'tar-stream-has-one-owner': ['src/lib/plan/archive.ts', 'tar-stream'],
  'ip-num-has-one-owner': ['src/lib/check/addresses.ts', 'ip-num'],
  'tables-has-one-owner': ['src/lib/cli/table.ts', 'cli-table3'],
  'oclif-has-one-owner': ['src/lib/view/oclif.ts', '@oclif/core'],
  'yaml-has-one-owner': ['src/lib/view/not-yaml.ts', 'yaml'],
  'zod-has-one-owner': ['src/lib/net/schema.ts', 'zod'],
  'production-does-not-import-tests': ['src/lib/engine/helped.ts', '../../../test/help'],
  'tests-do-not-import-tests': ['test/one.test.ts', './other.test'],
  'no-circles': ['src/lib/plan/egg.ts', './hen'],
  'no-orphans': ['src/lib/plan/alone.ts', ''],
  'imports-are-in-package-json': ['src/lib/engine/dev.ts', 'cockatiel'],
  'imports-resolve': ['src/lib/engine/missing.ts', './nowhere'],
};

/** Files that keep every rule: what the broken ones import, and some neighbours that must stay silent. */
const sound: Readonly<Record<string, string>> = {
  'src/lib/net/cidr.ts': '',
  'src/lib/plan/plan.ts': "import '../net/cidr'; import '../errors'; import '../store/store';",
  'src/lib/plan/hen.ts': "import './egg';",
  'src/lib/check/check.ts': "import '../plan/plan';",
  'src/lib/engine/engine.ts': "import '../check/check'; import '../store/store';",
  'src/lib/host/ssh.ts': "import 'ssh2'; import './host';",
  'src/lib/fact/fact.ts': "import '../host/host';",
  'src/lib/inventory/inventory.ts': "import 'yaml'; import 'zod'; import '../net/cidr';",
  'src/lib/view/list.ts': "import 'cli-table3'; import type { Plan } from '../plan/plan'; export type P = Plan;",
  'src/lib/view/yaml.ts': "import 'yaml';",
  'src/lib/view/schemas/all.ts': "import 'zod';",
  'src/lib/explain/topic.ts': "import '../errors';",
  'src/lib/store/etcd-v3.ts': "import 'etcd3'; import './store';",
  'src/lib/cli/session.ts': "import '../store/etcd-v3'; import '@oclif/core';",
  'src/commands/b.ts':
    "import '../lib/cli/session'; import type { Store } from '../lib/store/store'; export type S = Store;",
  'src/commands/explain.ts': "import '../lib/explain/topic';",
  'test/help.ts': '',
  'test/other.test.ts': '',
};

const packages = [
  'etcd3',
  '@grpc/grpc-js',
  'cockatiel',
  'ssh2',
  'tar-stream',
  'ip-num',
  'cli-table3',
  '@oclif/core',
  'yaml',
  'zod',
];

interface Cruised {
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string };
    }[];
  };
}

const folder = temporaryFolder();
let found: readonly string[] = [];

function put(file: string, text: string): void {
  mkdirSync(dirname(join(folder.path, file)), { recursive: true });
  writeFileSync(join(folder.path, file), text);
}

beforeAll(() => {
  for (const [file, text] of Object.entries(sound)) put(file, `${text}\nexport {};\n`);
  for (const [file, imports] of Object.values(broken))
    put(file, `${imports === '' ? '' : `import '${imports}';`}\nexport {};\n`);
  for (const name of packages) {
    put(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    put(`node_modules/${name}/index.js`, '');
  }
  const dependencies = Object.fromEntries(
    packages.filter((name) => name !== 'cockatiel').map((name) => [name, '1.0.0']),
  );
  put('package.json', JSON.stringify({ name: 'broken', version: '1.0.0', dependencies }));
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json'])
    copyFileSync(join(root, file), join(folder.path, file));
  const cruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const argv = [cruise, 'src', 'test', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
  const { stdout } = spawnSync(process.execPath, argv, {
    cwd: folder.path,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const { summary }: Cruised = JSON.parse(stdout);
  found = summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
});
afterAll(() => folder.remove());

describe('the arrows between the rooms', () => {
  it('have a broken example each', () => {
    expect(Object.keys(broken).sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });

  it.each(Object.entries(broken))('%s fires when it is broken', (name, [file]) => {
    expect(found).toContain(`${name}: ${file}`);
  });

  it('stay silent about files that keep them', () => {
    const soundFiles = Object.keys(sound).filter((file) => file !== 'src/lib/plan/hen.ts');
    expect(found.filter((line) => soundFiles.some((file) => line.endsWith(`: ${file}`)))).toEqual([]);
  });

  it('tell the person who broke one why, in a sentence', () => {
    for (const { comment } of forbidden) expect(comment).toMatch(/^[A-Z`a-z].{30,}[.]$/);
  });
});
