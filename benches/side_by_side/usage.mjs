// What a server took from the machine, read from /proc: its own process and all below it (nginx has workers).

import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What /proc counts CPU in; Linux has 100 on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** A server counts as quiet when it used no tick of CPU for this long, in milliseconds. */
const QUIET_MS = 150;
/** After this long nobody is waited for. Verdaccio is at work for more than a minute on thirty documents of 9 MB that nobody takes any more. */
const SETTLE_MS_MAX = 240_000;

/** The fields of /proc/PID/stat from the third on; the second, the name, may hold blanks. `null`: it is gone. */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** `pid` and all its descendants. */
export function family(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = stat(name);
    if (fields) parents.set(Number(name), Number(fields[1]));
  }
  const members = new Set([pid]);
  let before;
  do {
    before = members.size;
    for (const [child, parent] of parents) if (members.has(parent)) members.add(child);
  } while (members.size > before);
  return [...members];
}

/** CPU seconds, user and system, of these processes; a tick of 10 ms is the least that can be told apart. */
export function cpuSeconds(pids) {
  const { user, system } = cpuParts(pids);
  return user + system;
}

/** The same, apart: `{ user, system }`. */
export function cpuParts(pids) {
  const parts = { user: 0, system: 0 };
  for (const pid of pids) {
    const fields = stat(pid);
    if (!fields) continue;
    parts.user += Number(fields[11]) / TICKS_PER_SECOND;
    parts.system += Number(fields[12]) / TICKS_PER_SECOND;
  }
  return parts;
}

/** Resident memory now, the part of it that is no file's (`own`), and the highest it was, in bytes, of these processes. Shared pages count in each. */
export function memory(pids) {
  const sum = { resident: 0, own: 0, peak: 0 };
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    for (const [name, field] of [['resident', 'VmRSS'], ['own', 'RssAnon'], ['peak', 'VmHWM']]) {
      sum[name] += Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1_024;
    }
  }
  return sum;
}

/** Waits until these processes rest, so that work left over from one measurement is not in the next. Whether they do. */
export async function settle(pids) {
  const until = Date.now() + SETTLE_MS_MAX;
  let last = cpuSeconds(pids);
  while (Date.now() < until) {
    await sleep(QUIET_MS);
    const now = cpuSeconds(pids);
    if (now === last) return true;
    last = now;
  }
  return false;
}
