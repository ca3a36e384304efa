// SPDX-License-Identifier: LGPL-2.1-or-later
// Starts a PostgreSQL server whose database is on X:, has it do what it is told as a client, and stops it.
//
// usage: node client.js X:\database SQL...
'use strict';
const {spawnSync} = require('child_process');
const net = require('net');

const [folder, ...work] = process.argv.slice(2);

function control(...words) {
    const done = spawnSync('pg_ctl.exe', [...words, '-D', folder, '-w'], {stdio: 'inherit'});
    if (done.status !== 0)
        throw new Error(`pg_ctl ${words[0]}: ${done.status} ${done.error}`);
}

// A port that nobody has, or had until now.
function freePort() {
    return new Promise(resolve => {
        const server = net.createServer().listen(0, '127.0.0.1', () => {
            const {port} = server.address();
            server.close(() => resolve(port));
        });
    });
}

// The protocol's version 3: a length that counts itself, behind a letter in all messages but the first.
function message(letter, ...parts) {
    const body = Buffer.concat(parts), head = Buffer.alloc(4);
    head.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(letter), head, body]);
}

function rowOf(body) {
    const values = [];
    for (let at = 2; values.length < body.readInt16BE(0);) {
        const length = body.readInt32BE(at);
        values.push(body.toString('utf8', at + 4, at + 4 + length));
        at += 4 + length;
    }
    return values.join(' ');
}

function query(port, text) {
    return new Promise((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1'), rows = [];
        let data = Buffer.alloc(0), asked = false;

        const take = (letter, body) => {
            if (letter === 'E')
                reject(new Error(body.toString('utf8').replace(/\0/g, ' ')));
            else if (letter === 'D')
                rows.push(rowOf(body));
            else if (letter === 'Z' && asked)
                socket.end(message('X'));
            else if (letter === 'Z')
                asked = socket.write(message('Q', Buffer.from(text + '\0'))) || true;
        };
        socket.on('connect', () => socket.write(message('', Buffer.from([0, 3, 0, 0]), Buffer.from('user\0owner\0database\0postgres\0\0'))));
        socket.on('data', more => {
            data = Buffer.concat([data, more]);
            while (data.length > 4 && data.length > data.readInt32BE(1)) {
                const end = data.readInt32BE(1) + 1;
                take(String.fromCharCode(data[0]), data.subarray(5, end));
                data = data.subarray(end);
            }
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(rows));
    });
}

async function main() {
    const port = await freePort();

    control('start', '-l', `${folder}\\log`, '-o', `-p ${port} -c listen_addresses=127.0.0.1`);
    try {
        for (const text of work)
            console.log((await query(port, text)).join('\n'));
    } finally {
        control('stop', '-m', 'fast');
    }
}

main().catch(error => {
    console.error(error);
    process.exit(1);
});
