// SPDX-License-Identifier: GPL-2.0-only
//
// The socket APIs of Node, on loopback. Prints what came out.
'use strict';
const cluster = require('cluster');
const crypto = require('crypto');
const dgram = require('dgram');
const fs = require('fs');
const http = require('http');
const net = require('net');
const { once } = require('events');
const { pipeline } = require('stream/promises');

const data = Buffer.alloc(200000, 'pattern ');
const hash = (buffer) => crypto.createHash('sha1').update(buffer).digest('hex');
const listen = (server, ...args) => new Promise((resolve) => server.listen(...args, () => resolve(server.address().port)));

async function collect(stream) {
	const chunks = [];
	for await (const chunk of stream)
		chunks.push(chunk);
	return Buffer.concat(chunks);
}

async function echo(host) {
	const server = net.createServer({ allowHalfOpen: true }, (s) => s.pipe(s));
	const port = await listen(server, 0, host);
	const all = await Promise.all(Array.from({ length: 20 }, async () => {
		const s = net.connect({ port, host, noDelay: true, keepAlive: true });
		s.end(data);
		return hash(await collect(s)) === hash(data);
	}));
	server.close();
	await once(server, 'close');
	console.log('echo', host, all.filter(Boolean).length);
	return port;
}

async function failures(port) {
	const [refused] = await once(net.connect(port, '127.0.0.1'), 'error');
	console.log('connect', refused.code, refused.syscall);

	const server = net.createServer(() => {});
	port = await listen(server, 0, '127.0.0.1');
	const other = net.createServer();
	other.listen(port, '127.0.0.1');
	const [inUse] = await once(other, 'error');
	console.log('listen', inUse.code, inUse.syscall);

	const s = net.connect(port, '127.0.0.1');
	s.setTimeout(50);
	/* Its arrival too: it must not be taken for the next one's. */
	await Promise.all([once(server, 'connection'), once(s, 'timeout')]);
	console.log('timeout');
	s.destroy();

	const victim = net.connect(port, '127.0.0.1');
	const [[accepted]] = await Promise.all([once(server, 'connection'), once(victim, 'connect')]);
	accepted.resetAndDestroy();
	const [reset] = await once(victim, 'error');
	console.log('reset', reset.code, reset.syscall);
	server.close();
}

async function web() {
	const server = http.createServer((req, res) => pipeline(req, res).catch(() => {}));
	const port = await listen(server, 0, '::1');
	const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
	const answers = await Promise.all(Array.from({ length: 10 }, async () => {
		const req = http.request({ host: '::1', port, agent, method: 'POST' });
		req.end(data.subarray(0, 5000));
		const [res] = await once(req, 'response');
		return (await collect(res)).length;
	}));
	agent.destroy();
	server.close();
	console.log('http', answers.join());
}

async function file() {
	fs.writeFileSync('file', data);
	const server = net.createServer((s) => pipeline(fs.createReadStream('file'), s));
	const port = await listen(server, 0, '127.0.0.1');
	console.log('file', hash(await collect(net.connect(port, '127.0.0.1'))) === hash(data));
	server.close();
}

async function datagrams() {
	const [a, b] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
	b.bind(0, '127.0.0.1');
	await once(b, 'listening');
	b.on('message', (message, from) => b.send(message, from.port, from.address));
	a.send('datagram', b.address().port, '127.0.0.1');
	console.log('dgram', String((await once(a, 'message'))[0]));
	a.close();
	b.close();
}

// Workers share one listening socket, and get connections passed to them.
async function workers() {
	const got = [];
	for (const policy of [cluster.SCHED_NONE, cluster.SCHED_RR]) {
		cluster.schedulingPolicy = policy;
		cluster.setupPrimary({ args: ['worker'] });
		const worker = cluster.fork();
		const [, address] = await once(cluster, 'listening');
		for (let i = 0; i < 5; i++)
			got.push(String(await collect(net.connect(address.port, '127.0.0.1'))));
		worker.kill();
		await once(worker, 'exit');
	}
	console.log('cluster', got.join());
}

async function main() {
	const port = await echo('127.0.0.1');
	await echo('::1');
	await failures(port);
	await web();
	await file();
	await datagrams();
	await workers();
}

process.on('unhandledRejection', (error) => { throw error; });
if (cluster.isWorker)
	net.createServer((s) => s.end('hello')).listen(0, '127.0.0.1');
else
	main();
