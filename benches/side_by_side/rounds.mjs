// Measuring servers in turn: each round asks every server once, in an order that moves on by one, so that what else the machine
// does meets all of them, and a ratio is of one round.

import { load } from './wrk.mjs';

/** A server is asked this long before its case counts, in seconds. */
const WARM_SECONDS = 1;

/** Of the bytes that an answer has, this share at least must have come per request; else wrk saw other answers than were checked. */
const BYTES_SHARE_LEAST = 0.98;

/** Times one case. `targets`: `[{ server, url, headers, bytes }]`, each checked before. `results`: the runs by server name, with
 *  `wrong` where the answers under load were not those. `restless`: who was still at work when the next one was asked. */
export async function inTurn(wrk, targets, { rounds, seconds, connections, threads }) {
  const shape = { connections, threads };
  const results = Object.fromEntries(targets.map(({ server }) => [server.name, { runs: [] }]));
  const restless = new Set();
  for (const target of targets) {
    const { settled } = await load(wrk, target.server, { ...target, ...shape, seconds: WARM_SECONDS });
    if (!settled) restless.add(target.server.name);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (let at = 0; at < targets.length; at += 1) {
      const target = targets[(at + round) % targets.length];
      const result = results[target.server.name];
      // Who answered nothing in a whole round has no figure, whatever the next rounds bring; it would be at work for minutes.
      if (result.runs.some((run) => run.requests === 0)) continue;
      const run = await load(wrk, target.server, { ...target, ...shape, seconds });
      result.runs.push(run);
      if (!run.settled) restless.add(target.server.name);
      if (run.errors.status > 0) result.wrong = `${run.errors.status} answers were errors`;
      else if (run.requests > 0 && run.bytes / run.requests < target.bytes * BYTES_SHARE_LEAST) result.wrong = 'answers were shorter than the one that was checked';
    }
  }
  return { results, restless: [...restless] };
}
