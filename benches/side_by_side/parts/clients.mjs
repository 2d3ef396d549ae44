// A thousand clients that keep their connections, each asking for warm documents in turn without a pause, for a minute.
// Airlock lets one address have 512 connections; wrk has one address. So Airlock is started with `trusted_proxies` naming it, as it
// is behind a proxy that brings a thousand machines: what is served and how is the same. Its data folder is the one of the
// other parts, opened again. Of the others only nginx is asked: the peers are at their end with 32 clients.

import { documentsInTurn } from './serving.mjs';
import { load } from '../wrk.mjs';

const FORM = 'abbreviated';

export async function clients(bench) {
  await bench.restart({ manyClients: true });
  const asked = await documentsInTurn(bench, FORM, [bench.airlock, ...bench.fileServers]);
  const runs = [];
  for (const { server, paths, headers } of asked) {
    const shape = { url: server.url, headers, paths, connections: bench.clients.connections, threads: bench.clients.threads };
    await load(bench.wrk, server, { ...shape, connections: 32, threads: 1, seconds: 1 });
    const run = await load(bench.wrk, server, { ...shape, seconds: bench.clients.seconds });
    const done = { server: server.name, ...run, memory: server.memory() };
    bench.say(`${server.name}: ${run.perSecond.toFixed(0)}/s, p50 ${run.p50} ms, p99 ${run.p99} ms, ${run.failed} errors`);
    runs.push(done);
  }
  return { connections: bench.clients.connections, seconds: bench.clients.seconds, form: FORM, runs };
}
