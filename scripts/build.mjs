// Bundles src into dist/ and writes oclif.manifest.json. `node scripts/build.mjs`; docs/architecture.md says why bundles.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { manifest, packageJson, topicTexts } from './manifest.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const require = createRequire(import.meta.url);
const { commandFiles } = require('./command-table.cjs');

// A library that only some commands need has a bundle, and so a code cache, of its own: `import('yaml')` loads it, nothing else does.
// Packages that hand objects to each other share one. To add a lazy library, add a line.
const libraries = {
  etcd: ['etcd3', '@grpc/grpc-js', 'cockatiel'],
  yaml: ['yaml'],
  'ip-num': ['ip-num'],
  table: ['cli-table3'],
  ssh: ['ssh2'],
  tar: ['tar-stream'],
};

// What oclif loads at start and never uses when it is given commands, manifest and package.json by hand.
const unusedByOclif = ['tinyglobby', 'lilconfig', 'minimatch', 'ejs', 'semver', 'ansi-escapes'];
const stubs = new Map([
  ...unusedByOclif.map((name) => [name, 'module.exports = {};']),
  ['debug', 'module.exports = () => Object.assign(() => {}, { enabled: false });'],
  ['wsl-utils', 'module.exports = { isWsl: false };'],
  // On a terminal oclif makes a spinner at load time, which nothing of ours starts.
  ['cli-spinners', "module.exports = { dots2: { frames: [' '] }, line: { frames: [' '] } };"],
]);

const stubPlugin = {
  name: 'stubs',
  setup(build) {
    const names = [...stubs.keys()].map((name) => name.replaceAll(/[/.-]/g, '\\$&')).join('|');
    build.onResolve({ filter: new RegExp(`^(${names})$`) }, ({ path, importer }) =>
      importer.includes('@oclif') ? { path, namespace: 'stub' } : undefined,
    );
    // The root of @oclif/core loads all of it (15 ms); types, which esbuild has dropped by now, may come from there.
    build.onResolve({ filter: /^@oclif\/core$/ }, ({ importer }) => ({
      errors: [{ text: `${importer} imports @oclif/core: take @oclif/core/command, /args, /flags or /errors` }],
    }));
    build.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({ contents: stubs.get(path) }));
  },
};

const libraryPlugin = {
  name: 'libraries',
  setup(build) {
    for (const [bundle, names] of Object.entries(libraries)) {
      const pattern = names.map((name) => name.replaceAll(/[/.-]/g, '\\$&')).join('|');
      build.onResolve({ filter: new RegExp(`^(${pattern})$`) }, ({ path }) => ({
        path,
        namespace: 'library',
        pluginData: bundle,
      }));
      build.onResolve({ filter: new RegExp(`^\\./${bundle}\\.cjs$`), namespace: 'library' }, ({ path }) => ({
        path,
        external: true,
      }));
    }
    build.onLoad({ filter: /.*/, namespace: 'library' }, ({ path, pluginData }) => ({
      contents: `module.exports = require('./${pluginData}.cjs')[${JSON.stringify(path)}];`,
    }));
  },
};

// etcd3 reads its .proto text at every start (26-32 ms); the parsed form is made here once.
function etcdProto() {
  const protobuf = require(require.resolve('protobufjs', { paths: [require.resolve('@grpc/proto-loader')] }));
  const file = join(require.resolve('etcd3'), '../../proto/rpc.proto');
  const json = new protobuf.Root().loadSync(file, { keepCase: true }).toJSON();
  // JSON.parse of a text starts faster than the same object written in JavaScript.
  return `JSON.parse(${JSON.stringify(JSON.stringify(json))})`;
}

// Our own small loader in the place of @grpc/proto-loader, which turns every message into a descriptor at load time (20 ms).
const ownLoader = join(root, 'src/lib/store/etcd-v3-proto.ts');

const protoPlugin = {
  name: 'proto',
  setup(build) {
    if (existsSync(ownLoader)) {
      build.onResolve({ filter: /^@grpc\/proto-loader$/ }, ({ importer }) =>
        importer === ownLoader ? undefined : { path: ownLoader },
      );
      build.onResolve({ filter: /\/etcd-v3-proto\.json$/ }, ({ path }) => ({ path, namespace: 'proto' }));
      build.onLoad({ filter: /.*/, namespace: 'proto' }, () => ({ contents: `module.exports = ${etcdProto()};` }));
      return;
    }
    build.onLoad({ filter: /etcd3\/lib\/connection-pool\.js$/ }, ({ path }) => {
      const before = readFileSync(path, 'utf8');
      const call = /loadSync\)\(`\$\{__dirname\}\/\.\.\/proto\/rpc\.proto`,/;
      const contents = before.replace(call, () => `fromJSON)(${etcdProto()},`);
      if (contents === before) throw new Error(`${path}: etcd3 loads its .proto in another way than 1.1.2 does`);
      return { contents, loader: 'js' };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // `import()` of Node's own modules becomes require: a script from V8's code cache has no callback for it (Node 20).
  supported: { 'dynamic-import': false },
  // ASCII only: such a file is read as one-byte text, half the memory and time. See asciiOf for what esbuild leaves.
  charset: 'ascii',
  sourcemap: 'external',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
  // oclif would pull the whole compiler in for a dev mode that we do not use.
  // ssh2 does without its native parts: they save a tenth of a second on 50 MB, and need a compiler on the machine.
  external: ['typescript', 'ts-node', 'tsx', 'tsx/*', '@oclif/core/package.json', 'cpu-features', '*.node'],
  write: false,
};

function coreEntry(pjson) {
  const commands = commandFiles().map(
    ({ id, file }) => `  get ${JSON.stringify(id)}() { return require('./src/commands/${file}').default; },`,
  );
  return `
const commands = {
${commands.join('\n')}
};
module.exports = {
  COMMANDS: commands,
  version: ${JSON.stringify(pjson.version)},
  description: ${JSON.stringify(pjson.description)},
  topics: ${JSON.stringify(topicTexts(pjson.oclif.topics))},
  main: (argv, program) => require('./src/lib/cli/main.ts').main(argv, program),
  endQuietlyWhenCutOff: () => require('./src/lib/cli/interrupt.ts').endQuietlyWhenCutOff(),
  uninterrupted: (work) => require('./src/lib/cli/interrupt.ts').uninterrupted(work),
};
`;
}

async function writeBundle(name, options) {
  const result = await build({ ...common, ...options, outfile: join(dist, `${name}.cjs`), metafile: true });
  for (const { path, text: written } of result.outputFiles) {
    if (path.endsWith('.map')) {
      put(path, written);
    } else {
      const text = asciiOf(written);
      // The last line names the content: run.js keys the code cache with it, V8 itself compares only lengths.
      const id = createHash('sha256').update(text).digest('hex').slice(0, 32);
      put(path, `${text}//# build ${id}\n`);
    }
  }
  return result.metafile;
}

/** esbuild leaves regular expressions and comments as they are; bin/run.js reads the file byte by byte. */
function asciiOf(text) {
  return text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Complete or not at all: a netctl that starts at the same moment sees the old file or the new one. */
function put(path, text) {
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}

const notices = 'third-party-notices.txt';

/** The bundles hold others' code, whose licences want their text to go with every copy. */
function noticesOf(metafiles) {
  const folders = new Set();
  for (const path of metafiles.flatMap(({ inputs }) => Object.keys(inputs))) {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path);
    if (match !== null) folders.add(match[0]);
  }
  const texts = [...folders]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
      const text =
        file === undefined ? '(The package has no licence file.)' : readFileSync(join(root, folder, file), 'utf8');
      return `${name} ${version} (${license})\n\n${text.trim()}\n`;
    });
  return `dist/ holds code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

async function main() {
  const pjson = packageJson();
  mkdirSync(dist, { recursive: true });
  const wanted = new Set(['netctl', ...Object.keys(libraries)].flatMap((name) => [`${name}.cjs`, `${name}.cjs.map`]));
  wanted.add(notices);
  for (const file of readdirSync(dist)) if (!wanted.has(file)) rmSync(join(dist, file), { recursive: true });
  const core = writeBundle('netctl', {
    stdin: { contents: coreEntry(pjson), resolveDir: root, sourcefile: 'netctl-entry.cjs', loader: 'js' },
    plugins: [stubPlugin, libraryPlugin],
  });
  const heavy = Object.entries(libraries).map(([name, packages]) =>
    writeBundle(name, {
      stdin: {
        contents: `module.exports = {\n${packages
          .map((path) => `  get ${JSON.stringify(path)}() { return require(${JSON.stringify(path)}); },\n`)
          .join('')}};\n`,
        resolveDir: root,
        sourcefile: `${name}-entry.cjs`,
        loader: 'js',
      },
      plugins: [protoPlugin],
    }),
  );
  const metafiles = await Promise.all([core, ...heavy]);
  put(join(dist, notices), noticesOf(metafiles));
  put(join(root, 'oclif.manifest.json'), `${JSON.stringify(await manifest())}\n`);
  if (process.argv.includes('--sizes')) {
    const inputs = Object.values(metafiles[0].outputs).flatMap(({ inputs }) => Object.entries(inputs ?? {}));
    for (const [path, { bytesInOutput }] of inputs.sort((a, b) => b[1].bytesInOutput - a[1].bytesInOutput).slice(0, 40))
      console.log(String(bytesInOutput).padStart(8), relative(root, path));
  }
}

await main();
