// SPDX-License-Identifier: LGPL-2.1-or-later
// Three processes of SQLite's that write to the database argv[2] at once, each row in a transaction of its own.
'use strict';
const {spawn} = require('child_process');

const WRITERS = 3, ROWS = 40;

function write(writer) {
  const insert = `INSERT INTO numbers(text) VALUES('by writer ${writer}');`;
  return new Promise((done, failed) => spawn('sqlite3.exe', [process.argv[2], '.timeout 60000', insert.repeat(ROWS)], {stdio: 'ignore'})
    .on('error', failed).on('exit', status => status ? failed(new Error(`writer ${writer}: exit status ${status}`)) : done()));
}

Promise.all(Array.from({length: WRITERS}, (_, writer) => write(writer))).then(() => console.log('written'));
