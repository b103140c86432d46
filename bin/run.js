#!/usr/bin/env node
// The door of the built netctl. Plain CommonJS and no dependency: every line here is paid for at each start.

const argv = process.argv.slice(2);
// Runs of so many kinds have filled the code cache; what they did not compile is not worth another write.
const mostKinds = 32;
const core = 'netctl.cjs';

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
  const { version } = require('../package.json');
  process.stdout.write(`netctl/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
} else {
  run();
}

function run() {
  const fs = require('node:fs');
  const path = require('node:path');
  const vm = require('node:vm');
  const dist = path.join(__dirname, '..', 'dist');
  const isDebug = Boolean(process.env.NETCTL_DEBUG);
  if (isDebug) {
    process.setSourceMapsEnabled(true);
  } else {
    // Node's warnings name files of ours or of libraries; they are for us, not for the person who administers a network.
    process.noDeprecation = true;
    process.removeAllListeners('warning');
    process.on('warning', () => {});
  }

  const program = JSON.parse(fs.readFileSync(path.join(dist, '..', 'oclif.manifest.json'), 'utf8'));
  const command = commandIn(program.commands);
  const cache = isDebug || process.env.NETCTL_NO_CODE_CACHE ? undefined : cacheFolder(fs, path);
  const scripts = [];
  const netctl = load(core);

  netctl.endQuietlyWhenCutOff();
  netctl
    .main(argv, {
      root: path.join(__dirname, '..'),
      version: netctl.version,
      description: netctl.description,
      topics: netctl.topics,
      commands: program.commands,
      load: (id) => netctl.COMMANDS[id],
    })
    .then((code) => {
      // Only what a run compiled can be kept, so each kind of run adds its part once.
      if (cache !== undefined) for (const script of scripts) keep(script, kindOfRun(code));
      process.exit(code);
    });

  /** One of our bundles as a module, compiled with its code cache; what `require` gives everybody else is the same instance. */
  function load(name) {
    const file = path.join(dist, name);
    const known = require.cache[file];
    if (known !== undefined) return known.exports;
    const Module = require('node:module');
    const module = new Module(file, null);
    module.filename = file;
    module.paths = Module._nodeModulePaths(dist);
    require.cache[file] = module;
    const source = fs.readFileSync(file, 'latin1');
    const build = source.slice(-33, -1);
    const kept = cache === undefined ? undefined : read(cacheName(name), build);
    const wrapped = `(function (exports, require, module, __filename, __dirname) {${source}${isDebug ? `//# sourceMappingURL=${name}.map` : ''}\n})`;
    const script = new vm.Script(wrapped, {
      filename: file,
      cachedData: kept?.data,
      importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    const isUsed = kept !== undefined && script.cachedDataRejected === false;
    scripts.push({ name: cacheName(name), build, script, uses: isUsed ? kept.uses : [] });
    const outer = Module.createRequire(file);
    const inner = (id) => (/^\.\/[a-z0-9-]+\.cjs$/.test(id) ? load(id.slice(2)) : outer(id));
    inner.resolve = outer.resolve;
    inner.cache = outer.cache;
    inner.main = outer.main;
    script.runInThisContext().call(module.exports, module.exports, inner, module, file, dist);
    module.loaded = true;
    return module.exports;
  }

  /** Each command has a cache of ours: one for all would grow with every command and be read whole at each start. */
  function cacheName(name) {
    return name === core ? `${name}.${command.replaceAll(':', '-')}.bin` : `${name}.bin`;
  }

  /** Data, then the build it was made from and what ran when it was made, then the length of that. */
  function read(name, build) {
    const bytes = readOwn(path.join(cache, name));
    if (bytes === undefined || bytes.length < 4) return undefined;
    const end = bytes.length - 4;
    const start = end - bytes.readUInt32LE(end);
    if (start < 0) return undefined;
    try {
      const about = JSON.parse(bytes.toString('latin1', start, end));
      return about.build === build && about.length === start && about.check === checkOf(bytes, start)
        ? { data: bytes.subarray(0, start), uses: about.uses }
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Compiled code is run unseen, so it must be a file of ours that nobody else can write. */
  function readOwn(file) {
    let fd;
    try {
      fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
      const stat = fs.fstatSync(fd);
      if (!stat.isFile() || !isOurs(stat)) return undefined;
      const bytes = Buffer.allocUnsafe(stat.size);
      return fs.readSync(fd, bytes, 0, stat.size, 0) === stat.size ? bytes : undefined;
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
  }

  function keep({ name, build, script, uses }, use) {
    if (uses.includes(use) || uses.length >= mostKinds) return;
    try {
      makeCacheFolder(fs, path, cache);
      const data = script.createCachedData();
      const about = Buffer.from(
        JSON.stringify({ build, length: data.length, check: checkOf(data, data.length), uses: [...uses, use] }),
        'latin1',
      );
      const length = Buffer.alloc(4);
      length.writeUInt32LE(about.length);
      const temporary = path.join(cache, `${name}.${process.pid}.tmp`);
      try {
        fs.writeFileSync(temporary, Buffer.concat([data, about, length]), { mode: 0o600, flag: 'wx' });
        fs.renameSync(temporary, path.join(cache, name));
      } catch (error) {
        fs.rmSync(temporary, { force: true });
        throw error;
      }
    } catch {
      // A disk that is full or read-only costs the next start some milliseconds, no more.
    }
  }

  /** `subnets:ls`, or what is answered without a command. */
  function commandIn(commands) {
    if (argv[0] === '__complete') return 'complete';
    const words = argv.filter((word) => !word.startsWith('-'));
    const length = [4, 3, 2, 1].find((length) => Object.hasOwn(commands, words.slice(0, length).join(':')));
    return length === undefined || argv.includes('--help') || argv.includes('-h')
      ? 'help'
      : words.slice(0, length).join(':');
  }

  /** What decides which functions were compiled: command, names of flags, format, how it ended. */
  function kindOfRun(code) {
    if (command === 'complete' || command === 'help') return `${command} ${code}`;
    const flags = argv.flatMap((word) => /^(--[a-z0-9-]+|-[a-zA-Z])/.exec(word)?.[0] ?? []);
    const formats = argv.filter((word) => /^(--output=|-o)?(json|yaml|csv|wide|name)$/.test(word));
    return [command, ...new Set([...flags, ...formats].sort((a, b) => (a < b ? -1 : 1))), code].join(' ');
  }
}

/**
 * V8 of Node 20 checks no sum and dies of a damaged cache. One word in 16 shows every block that a disk has lost,
 * in a sixteenth of the time that a sum over all of it would take.
 */
function checkOf(bytes, length) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length >> 2);
  let sum = length;
  for (let index = 0; index < words.length; index += 16) sum = Math.imul(sum ^ words[index], 0x01000193);
  return sum;
}

function cacheFolder(fs, path) {
  const home = process.env.HOME;
  const base = process.env.XDG_CACHE_HOME || (home ? path.join(home, '.cache') : '');
  if (!path.isAbsolute(base) || process.getuid === undefined) return undefined;
  const { version } = require('../package.json');
  const folder = path.join(base, 'netctl', `${version}-${process.version}-${process.arch}`);
  try {
    return isOurs(fs.lstatSync(folder)) ? folder : undefined;
  } catch (error) {
    return error.code === 'ENOENT' ? folder : undefined;
  }
}

/** `~/.cache/netctl/VERSION`. What lies above and is not ours (`HOME` of another user under sudo) is left alone. */
function makeCacheFolder(fs, path, folder) {
  const own = path.dirname(folder);
  const base = path.dirname(own);
  if (!fs.existsSync(base) && isOwner(fs.lstatSync(path.dirname(base)))) makeFolder(base);
  if (!isOwner(fs.statSync(base))) throw new Error(base);
  for (const each of [own, folder]) {
    makeFolder(each);
    if (!isOurs(fs.lstatSync(each))) throw new Error(each);
  }

  function makeFolder(each) {
    try {
      fs.mkdirSync(each, { mode: 0o700 });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
  }
}

/** Ours, and nobody else may write it. */
function isOurs(stat) {
  return isOwner(stat) && (stat.mode & 0o022) === 0 && !stat.isSymbolicLink();
}

function isOwner(stat) {
  return stat.uid === process.getuid();
}
