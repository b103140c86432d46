// The arrows of docs/architecture.md as a test. A rule that fires is addressed to you: its comment says what to do instead.
'use strict';

/** Rooms in the order of the arrows: each may know those before it and itself. */
const rooms = {
  net: [],
  inventory: ['net', 'store/store'],
  fact: ['net', 'store/store', 'host/host', 'inventory'],
  plan: ['net', 'store/store', 'host/host', 'inventory', 'fact'],
  check: ['net', 'store/store', 'host/host', 'inventory', 'fact', 'plan'],
  // What only needs the port of a host (write a file, go over many hosts) is no adapter.
  engine: ['net', 'store/store', 'host/(host|write-file|pool|quote)', 'inventory', 'fact', 'plan', 'check'],
};

const reasons = {
  net: 'A network value knows nothing of who uses it; move what needs more to the room that has it.',
  inventory:
    'The inventory describes the wish; facts and plans are made from it and hand values back, never the other way.',
  fact: 'A fact is a question and a pure parser; what follows from the answer belongs to plan/ or check/.',
  plan: 'A plan is pure: facts and a wish in, changes out. What carries it out is engine/.',
  check: 'A check is pure: facts in, findings out, its remedy a plan. It is run by engine/ and shown by view/.',
  engine: 'The engine is given ports and plans; it chooses no implementation and renders nothing.',
};

const insideRoom = Object.entries(rooms).map(([room, known]) => ({
  name: `${room}-knows-only-what-is-below-it`,
  comment: reasons[room],
  severity: 'error',
  from: { path: `^src/lib/${room}/` },
  to: {
    path: '^src/',
    pathNot: ['^src/lib/errors\\.ts$', ...[room, ...known].map((name) => `^src/lib/${name}(/|\\.ts$)`)],
  },
}));

/** One library, one owner: replacing it is a change to one room. */
const owners = [
  [
    'etcd3',
    '^(etcd3|@grpc/.*|cockatiel)$',
    '^src/lib/store/etcd-v3',
    'etcd3, gRPC and cockatiel are wrapped, not trusted: ask the Store port.',
  ],
  ['ssh2', '^ssh2$', '^src/lib/host/ssh', 'SSH is one way to reach a host: ask the Host port.'],
  ['tar-stream', '^tar-stream$', '^src/lib/net/flannel-archive', 'Archives are read and judged in one place.'],
  ['ip-num', '^ip-num$', '^src/lib/net/', 'Addresses are parsed in net/, which hands out values that are valid.'],
  ['tables', '^(cli-table3|chalk|string-width)$', '^src/lib/view/', 'What text looks like is decided in view/.'],
  [
    'oclif',
    '^@oclif/',
    '^src/(commands|lib/cli)/',
    'Flags and arguments end at the command; below it there are only values.',
  ],
  ['yaml', '^yaml$', '^src/lib/(inventory/|view/yaml)', 'YAML is read in inventory/ and written in view/yaml.ts.'],
  [
    'zod',
    '^zod',
    '^src/lib/(inventory/|view/schemas/)',
    'Schemas of what we read live in inventory/, of what we print in view/schemas/.',
  ],
].map(([library, modules, owner, comment]) => ({
  name: `${library}-has-one-owner`,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: owner },
  to: { path: `node_modules/${modules.replace(/^\^/, '').replace(/\$$/, '')}${modules.endsWith('$') ? '/' : ''}` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'errors-know-nothing',
      comment: 'errors.ts is below every room; what it needs of another is a plain text.',
      severity: 'error',
      from: { path: '^src/lib/errors\\.ts$' },
      to: { path: '^src/' },
    },
    ...insideRoom,
    {
      name: 'the-store-port-knows-nothing',
      comment: 'store/store.ts is the port: planners and tests use it without any etcd client.',
      severity: 'error',
      from: { path: '^src/lib/store/store\\.ts$' },
      to: { path: '^src/', pathNot: '^src/lib/errors\\.ts$' },
    },
    {
      name: 'the-host-port-knows-nothing',
      comment: 'host/host.ts is the port: facts and plans are made without SSH.',
      severity: 'error',
      from: { path: '^src/lib/host/host\\.ts$' },
      to: { path: '^src/', pathNot: '^src/lib/errors\\.ts$' },
    },
    {
      name: 'host-adapters-know-net-and-the-port',
      comment: 'A host runs commands; what they mean is known above it.',
      severity: 'error',
      from: { path: '^src/lib/host/' },
      to: { path: '^src/', pathNot: '^src/lib/(errors\\.ts|net/|host/)' },
    },
    {
      name: 'store-adapters-know-net-and-the-port',
      comment: 'An adapter turns calls of the port into requests to etcd; what keys and values mean is known above it.',
      severity: 'error',
      from: { path: '^src/lib/store/' },
      to: { path: '^src/', pathNot: '^src/lib/(errors\\.ts|net/|store/)' },
    },
    {
      name: 'adapters-are-chosen-in-one-place',
      comment: 'cli/session.ts alone imports a store adapter; take the Store from it, or as a parameter.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/lib/(cli/session\\.ts$|store/)' },
      to: { path: '^src/lib/store/', pathNot: '^src/lib/store/store\\.ts$' },
    },
    {
      name: 'view-renders-values',
      comment: 'A view gets values and gives text: it knows no command, asks no store and carries nothing out.',
      severity: 'error',
      from: { path: '^src/lib/view/' },
      to: { path: '^src/(commands|lib/(cli|engine|explain))/' },
    },
    {
      name: 'view-knows-decisions-by-their-types',
      comment: 'A view may name the type of a plan, a finding or an inventory; its code would be loaded only to print.',
      severity: 'error',
      from: { path: '^src/lib/view/' },
      to: { path: '^src/lib/(plan|check|fact|inventory|store)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'explain-stays-a-book',
      comment: 'Topics are texts with the exit codes beside them; they must not pull in what they talk about.',
      severity: 'error',
      from: { path: '^src/lib/explain/' },
      to: { path: '^src/', pathNot: '^src/lib/(errors\\.ts|explain/|view/(list|record)\\.ts)' },
    },
    {
      name: 'explain-is-read-by-its-command',
      comment: 'Only the explain command (and its completion) loads the catalogue; nobody else pays for the texts.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(lib/explain/|commands/explain\\.ts|lib/cli/complete-values\\.ts)' },
      to: { path: '^src/lib/explain/' },
    },
    {
      name: 'commands-stand-alone',
      comment: 'What two commands share belongs to cli/ or below; a command that imports another loads it too.',
      severity: 'error',
      from: { path: '^src/commands/' },
      to: { path: '^src/commands/' },
    },
    {
      name: 'commands-do-not-reach-into-the-store',
      comment: 'A command takes its Store from the session; the port’s types are all that it may name.',
      severity: 'error',
      from: { path: '^src/commands/' },
      to: { path: '^src/lib/store/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nobody-imports-a-command',
      comment: 'Commands are the outermost room; the build finds them by their files.',
      severity: 'error',
      from: { path: '^src/lib/' },
      to: { path: '^src/commands/' },
    },
    ...owners,
    {
      name: 'production-does-not-import-tests',
      comment: 'Nothing in src/ may need test/, bench/ or scripts/: they are not shipped.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'tests-do-not-import-tests',
      comment: 'What two tests share belongs to test/support, so that each test can be run alone.',
      severity: 'error',
      from: { path: '^test/.*\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
    {
      name: 'no-circles',
      comment: 'Two files that need each other are one idea or three; a type-only circle is allowed.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports it and it imports nothing: delete it, or wire it in.',
      severity: 'error',
      // interrupt.ts is called by bin/run.js through the bundle's entry.
      from: { orphan: true, path: '^src/lib/', pathNot: '^src/lib/cli/interrupt\\.ts$' },
      to: {},
    },
    {
      name: 'imports-are-in-package-json',
      comment: 'A package that another one happens to bring may be gone tomorrow: name it in package.json.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'], pathNot: 'etcd-v3-proto\\.json$' },
    },
    {
      name: 'imports-resolve',
      comment: 'The file or package is not there.',
      severity: 'error',
      from: { path: '^(src|test|bench|scripts)/' },
      // The build makes this file (scripts/build.mjs).
      to: { couldNotResolve: true, pathNot: 'etcd-v3-proto\\.json$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.cache)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
