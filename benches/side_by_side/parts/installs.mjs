// Real installs by real npm. Warm: every server has all that is asked for. Cold: straight from the origin, and through an Airlock that
// has seen nothing yet, so that all is fetched, screened, inspected and made durable.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { difference, install } from '../npm.mjs';
import { startAirlock } from '../servers/airlock.mjs';

/** Times that a server gets the same install before it counts, so that nothing it does once is in the rounds. */
export const WARMING_INSTALLS = 2;

/** How long a server rests after a start before its idle memory is read, in milliseconds. */
const IDLE_MS = 2_000;

/** `{ packages, servers: { name: [{ seconds, cpuSeconds }] } }`. */
export async function warmInstall(bench) {
  const npm = bench.programs.npm;
  const straight = await install(npm, 'warm', bench.origin.url, bench.folder);
  for (const server of bench.registries) {
    for (let turn = 0; turn < WARMING_INSTALLS; turn += 1) {
      const { packages } = await install(npm, 'warm', server.url, bench.folder);
      sameTree(server.name, packages, straight.packages);
    }
    await server.settle();
  }
  const misses = bench.origin.recorder.misses;
  const servers = Object.fromEntries(bench.registries.map(({ name }) => [name, { runs: [] }]));
  for (let round = 0; round < bench.options.installs; round += 1) {
    for (let at = 0; at < bench.registries.length; at += 1) {
      const server = bench.registries[(at + round) % bench.registries.length];
      const before = server.cpuSeconds();
      const { seconds, packages } = await install(npm, 'warm', server.url, bench.folder);
      await server.settle();
      const cpuSeconds = server.cpuSeconds() - before;
      sameTree(server.name, packages, straight.packages);
      servers[server.name].runs.push({ seconds, cpuSeconds });
      bench.say(`warm install from ${server.name}: ${seconds.toFixed(2)} s, ${cpuSeconds.toFixed(2)} s of server CPU`);
    }
  }
  for (const server of bench.registries) servers[server.name].memory = server.memory();
  return { packages: straight.packages.size, misses: bench.origin.recorder.misses - misses, servers };
}

/** `{ packages, straight: [{ seconds }], airlock: [{ seconds, cpuSeconds, idle, after }] }`. */
export async function coldInstall(bench) {
  const npm = bench.programs.npm;
  const first = await install(npm, 'cold', bench.origin.url, bench.folder);
  const straight = [];
  const airlock = [];
  let misses = bench.origin.recorder.misses;
  const direct = async () => {
    const { seconds } = await install(npm, 'cold', bench.origin.url, bench.folder);
    straight.push({ seconds });
    bench.say(`cold install straight from the origin: ${seconds.toFixed(2)} s`);
  };
  // Each time another folder: an Airlock that has seen nothing.
  let cold = 0;
  const through = async () => {
    cold += 1;
    const server = await startAirlock(bench.binary, path.join(bench.folder, `cold-${cold}`), bench.origin, { log: bench.options.airlockLog });
    await sleep(IDLE_MS);
    const idle = server.memory();
    const before = server.cpuSeconds();
    const { seconds, packages } = await install(npm, 'cold', server.url, bench.folder);
    sameTree(server.name, packages, first.packages);
    await server.settle();
    const run = { seconds, cpuSeconds: server.cpuSeconds() - before, idle, after: server.memory() };
    airlock.push(run);
    await server.stop();
    bench.say(`cold install through Airlock: ${seconds.toFixed(2)} s, ${run.cpuSeconds.toFixed(2)} s of server CPU`);
  };
  for (let round = 0; round < bench.options.installs; round += 1) {
    // Who goes first takes turns.
    const order = round % 2 === 0 ? [direct, through] : [through, direct];
    for (const step of order) await step();
    // The full form of each document, which Airlock reads, may be recorded in the first round; that round is done again.
    if (bench.origin.recorder.misses > misses && round === 0) {
      bench.say('the origin was still recording: that round does not count');
      straight.length = airlock.length = 0;
      misses = bench.origin.recorder.misses;
      round = -1;
    }
  }
  return { packages: first.packages.size, misses: bench.origin.recorder.misses - misses, straight, airlock };
}

function sameTree(name, ours, theirs) {
  const lines = difference(ours, theirs);
  if (lines.length === 0) return;
  throw new Error(`${name} led npm to another tree than the origin (first ${name}, then the origin):\n${lines.slice(0, 20).join('\n')}`);
}
