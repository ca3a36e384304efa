// SPDX-License-Identifier: LGPL-2.1-or-later
// What a script does with files, on X: (argv[2]). Each part ends by itself, asserts what it sees, and leaves files for
// the check on the Linux side. Exit status 1, and a line for each, if a part failed.
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');

const root = process.argv[2];
const only = process.argv[3];
const at = (...names) => path.join(root, ...names);
const fails = (code, call) => assert.throws(call, error => error.code === code || assert.fail(`${error.code}: ${error.message}`));
const parts = {};

parts.folders = () => {
  fs.mkdirSync(at('a', 'b', 'c'), {recursive: true});
  fails('EEXIST', () => fs.mkdirSync(at('a')));
  fails('ENOENT', () => fs.mkdirSync(at('no', 'such')));
  fs.writeFileSync(at('a', 'b', 'c', 'f'), 'f');
  fails('ENOTEMPTY', () => fs.rmdirSync(at('a', 'b', 'c')));
  assert.deepStrictEqual(fs.readdirSync(at('a')), ['b']);
  assert(fs.readdirSync(at('a'), {withFileTypes: true})[0].isDirectory());
};

parts.files = () => {
  fs.writeFileSync(at('text'), 'one\n');
  fs.appendFileSync(at('text'), 'two\n');
  assert.strictEqual(fs.readFileSync(at('text'), 'utf8'), 'one\ntwo\n');
  fails('EEXIST', () => fs.writeFileSync(at('text'), '', {flag: 'wx'}));
  fails('ENOENT', () => fs.readFileSync(at('no such')));
  fails('ENOENT', () => fs.readFileSync(at('no', 'such')));
  assert(fs.existsSync(at('text')) && !fs.existsSync(at('no such')));
  fs.writeFileSync(at('name with blanks, äöü 日本'), 'names');
};

parts.positions = () => {
  const file = fs.openSync(at('positions'), 'w+');
  fs.writeSync(file, 'abcdef', 0);
  fs.writeSync(file, 'XY', 2);
  const buffer = Buffer.alloc(3);
  assert.strictEqual(fs.readSync(file, buffer, 0, 3, 1), 3);
  assert.strictEqual(buffer.toString(), 'bXY');
  fs.writeSync(file, 'end', 10);
  assert.strictEqual(fs.fstatSync(file).size, 13);
  fs.fsyncSync(file);
  fs.closeSync(file);
};

parts.append = () => {
  const file = fs.openSync(at('appended'), 'a');
  for (let i = 0; i < 100; i++)
    fs.writeSync(file, `line ${i}\n`);
  fs.closeSync(file);
};

parts.stat = () => {
  fs.writeFileSync(at('stat'), Buffer.alloc(5000));
  const found = fs.statSync(at('stat'), {bigint: true});
  assert.strictEqual(found.size, 5000n);
  assert(found.isFile() && !found.isDirectory());
  assert(Math.abs(Number(found.mtimeMs) - Date.now()) < 60000);
  const file = fs.openSync(at('stat'), 'r');
  const open = fs.fstatSync(file, {bigint: true});
  fs.closeSync(file);
  assert.strictEqual(open.ino, found.ino);
  assert.strictEqual(open.mtimeNs, found.mtimeNs);
  assert(fs.statSync(root).isDirectory());
};

parts.times = () => {
  fs.writeFileSync(at('times'), '');
  fs.utimesSync(at('times'), 1000000000, 1234567890);
  assert.strictEqual(fs.statSync(at('times')).mtimeMs, 1234567890000);
};

parts.truncate = () => {
  fs.writeFileSync(at('shorter'), '0123456789');
  fs.truncateSync(at('shorter'), 4);
  fs.writeFileSync(at('longer'), '0123456789');
  fs.truncateSync(at('longer'), 20000);
  assert.strictEqual(fs.statSync(at('longer')).size, 20000);
};

parts.rename = () => {
  fs.writeFileSync(at('old'), 'moved');
  fs.writeFileSync(at('there'), 'replaced');
  fs.renameSync(at('old'), at('there'));
  assert(!fs.existsSync(at('old')));
  fs.mkdirSync(at('from'));
  fs.writeFileSync(at('from', 'f'), 'f');
  fs.mkdirSync(at('into'));
  fs.renameSync(at('from'), at('into', 'to'));
  assert.strictEqual(fs.readFileSync(at('into', 'to', 'f'), 'utf8'), 'f');
  fs.renameSync(at('there'), at('THERE'));
  assert(fs.readdirSync(root).includes('THERE'));
};

parts.copy = () => {
  const data = Buffer.alloc(3 << 20, 'copy me');
  fs.writeFileSync(at('original'), data);
  fs.copyFileSync(at('original'), at('copy'));
  fails('EEXIST', () => fs.copyFileSync(at('original'), at('copy'), fs.constants.COPYFILE_EXCL));
  assert(fs.readFileSync(at('copy')).equals(data));
};

parts.mode = () => {
  fs.writeFileSync(at('read-only'), '');
  fs.chmodSync(at('read-only'), 0o444);
  fails('EPERM', () => fs.openSync(at('read-only'), 'w'));
  fails('EPERM', () => fs.accessSync(at('read-only'), fs.constants.W_OK));
  fs.chmodSync(at('read-only'), 0o666);
  fs.unlinkSync(at('read-only'));
};

parts.remove = () => {
  fs.writeFileSync(at('gone'), '');
  fs.unlinkSync(at('gone'));
  fails('ENOENT', () => fs.unlinkSync(at('gone')));
  for (let i = 0; i < 50; i++) {
    fs.mkdirSync(at('tree', `${i % 5}`, `${i}`), {recursive: true});
    fs.writeFileSync(at('tree', `${i % 5}`, `${i}`, 'f'), `${i}`);
  }
  (fs.rmSync || fs.rmdirSync)(at('tree'), {recursive: true});
  assert(!fs.existsSync(at('tree')));
  // A file that is open goes when it is closed, or at once.
  fs.writeFileSync(at('open'), 'x');
  const file = fs.openSync(at('open'), 'r');
  fs.unlinkSync(at('open'));
  fs.closeSync(file);
  assert(!fs.existsSync(at('open')));
};

parts.real = () => {
  fs.mkdirSync(at('real', 'inner'), {recursive: true});
  assert.strictEqual(fs.realpathSync(at('real', 'inner', '..')).toLowerCase(), at('real').toLowerCase());
  assert.strictEqual(fs.realpathSync.native(at('real', 'inner', '..')).toLowerCase(), at('real').toLowerCase());
  process.chdir(at('real'));
  fs.writeFileSync('relative', 'relative');
  assert.strictEqual(process.cwd().toLowerCase(), at('real').toLowerCase());
  process.chdir(root);
};

parts.links = () => {
  fs.writeFileSync(at('linked'), 'x');
  fails('ENOTSUP', () => fs.linkSync(at('linked'), at('link')));
  assert(!fs.existsSync(at('link')));
};

parts.names = () => {
  fs.mkdirSync(at('names'));
  for (const name of ['ä', 'мир', '😀', 'a b', 'a.b.c', '.dot', '-x', 'a&b', 'a;b', 'a=b', '[a]', 'a~1', '#', '%', '^', "it's", '!', 'x'.repeat(255)])
    fs.writeFileSync(at('names', name), name);
  for (const name of ['a*b', 'a?b', 'a|b', 'a<b', 'a"b'])
    fails('ENOENT', () => fs.writeFileSync(at('names', name), ''));
  fs.writeFileSync(at('names', 'Case'), 'first');
  fs.writeFileSync(at('names', 'cASE'), 'second');
  assert.strictEqual(fs.readFileSync(at('names', 'case'), 'utf8'), 'second');
  assert(fs.readdirSync(at('names')).includes('Case') && !fs.readdirSync(at('names')).includes('cASE'));
};

parts.deep = () => {
  const folder = at('deep', ...Array(8).fill('x'.repeat(60)));
  fs.mkdirSync(folder, {recursive: true});
  fs.writeFileSync(path.join(folder, 'f'), 'deep');
  assert.deepStrictEqual(fs.readdirSync(folder), ['f']);
};

parts.far = () => {
  const file = fs.openSync(at('far'), 'w+');
  fs.writeSync(file, 'end', 5 * 2 ** 30);
  const buffer = Buffer.alloc(5);
  assert.strictEqual(fs.readSync(file, buffer, 0, 5, 5 * 2 ** 30 - 2), 5);
  assert.strictEqual(buffer.toString(), '\0\0end');
  fs.closeSync(file);
};

parts.listing = () => {
  fs.mkdirSync(at('many'));
  for (let i = 0; i < 1500; i++)
    fs.writeFileSync(at('many', `file ${i}`), '');
  assert.strictEqual(new Set(fs.readdirSync(at('many'))).size, 1500);
};

parts.streams = async () => {
  const data = Buffer.alloc(8 << 20);
  for (let i = 0; i < data.length; i += 4)
    data.writeUInt32LE(i, i);
  await new Promise((done, failed) => fs.createWriteStream(at('stream')).on('finish', done).on('error', failed).end(data));
  await new Promise((done, failed) => fs.createReadStream(at('stream')).on('error', failed)
    .pipe(fs.createWriteStream(at('stream copy'))).on('finish', done).on('error', failed));
  assert(fs.readFileSync(at('stream copy')).equals(data));
};

parts.together = async () => {
  const files = fs.promises;
  await files.mkdir(at('together'));
  await Promise.all(Array.from({length: 400}, async (_, i) => {
    const name = at('together', `${i}`);
    await files.writeFile(name, `content ${i}`);
    await files.appendFile(name, '!');
    await files.rename(name, `${name}.txt`);
    assert.strictEqual(await files.readFile(`${name}.txt`, 'utf8'), `content ${i}!`);
    if (i % 2)
      await files.unlink(`${name}.txt`);
  }));
};

// When the watch has reached the server nobody says, so there is something to see until it is seen.
parts.watch = async () => {
  fs.mkdirSync(at('watched'));
  let made = 0;
  const seen = await new Promise((done, failed) => {
    const timer = setInterval(() => fs.writeFileSync(at('watched', `new ${made++}`), 'new'), 100);
    const watcher = fs.watch(at('watched'), (event, name) => {
      clearInterval(timer);
      watcher.close();
      done(`${event} ${name}`);
    }).on('error', failed);
  });
  assert.match(seen, /^(rename|change) new \d+$/);
};

parts.child = () => {
  const child = require('child_process').spawnSync(process.execPath, ['-e', `require('fs').writeFileSync('by child', process.cwd())`],
    {cwd: root, stdio: 'ignore'});
  assert.strictEqual(child.status, 0);
  assert.strictEqual(fs.readFileSync(at('by child'), 'utf8').toLowerCase(), root.toLowerCase());
};

(async () => {
  let failed = 0, done = 0;
  for (const [name, part] of Object.entries(parts)) {
    if (only && only !== name)
      continue;
    try {
      await part();
      done++;
    } catch (error) {
      failed++;
      console.log(`${name}: ${error.stack}`);
    }
  }
  console.log(`${done} parts done, ${failed} failed, node ${process.version}`);
  process.exitCode = failed ? 1 : 0;
})();
