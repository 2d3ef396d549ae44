// Asking a server on this machine: bodies come as they were sent, not unpacked.

import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS_MAX = 60_000;
const ANSWER_MS_MAX = 120_000;

/** A port of 127.0.0.1 that is free now; `port` itself, where given. Throws where that is taken. */
export function freePort(port = 0) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
}

/** `{ status, headers, body }` of a GET, over a connection of its own where no `agent` keeps one. */
export function get(url, headers = {}, agent = false) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers, agent, timeout: ANSWER_MS_MAX }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer in ${ANSWER_MS_MAX / 1_000} s`)));
    request.on('error', reject);
  });
}

/** Waits until the server that is `child` answers anything at `url`. */
export async function ready(child, url) {
  const until = Date.now() + READY_MS_MAX;
  for (;;) {
    if (child.failure) throw new Error(child.failure);
    try {
      await get(url);
      return;
    } catch (error) {
      if (Date.now() > until) throw new Error(`${url} is not ready: ${error.message}`);
      await sleep(20);
    }
  }
}
