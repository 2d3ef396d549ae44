// Load by wrk: connections that are kept open, each with one request at a time.

import path from 'node:path';

import { said } from './children.mjs';

const SCRIPT = path.join(import.meta.dirname, 'wrk.lua');
const TIMEOUT_SECONDS = 30;

/** What a run of wrk saw of `server`: requests a second, latencies in milliseconds, errors, the server's CPU per request in
 *  microseconds. `paths`, where given, are asked for in turn. */
export async function load(wrk, server, { url, headers = {}, paths = [], connections, threads, seconds }) {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--timeout', `${TIMEOUT_SECONDS}s`, '-s', SCRIPT, ...given, url];
  const before = server.cpuSeconds();
  const out = await said(wrk, paths.length > 0 ? [...args, '--', ...paths] : args);
  const cpu = server.cpuSeconds() - before;
  const settled = await server.settle();
  server.emptyLog();
  const figures = JSON.parse(/^JSON (.*)$/m.exec(out)[1]);
  const { requests, bytes, microseconds, errors } = figures;
  return {
    settled,
    requests,
    bytes,
    perSecond: requests / (microseconds / 1e6),
    p50: figures.p50 / 1e3,
    p99: figures.p99 / 1e3,
    max: figures.max / 1e3,
    errors,
    failed: errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    cpuSeconds: cpu,
    cpuMicroseconds: requests > 0 ? (cpu / requests) * 1e6 : null,
  };
}
