// A server under measurement: where it answers, who its processes are, what they used.

import { truncateSync } from 'node:fs';

import { stop } from '../children.mjs';
import { cpuSeconds, family, memory, settle } from '../usage.mjs';

export class Server {
  /** `name` is how the page calls it; `url` has no slash at its end; `child` is its first process; `log`,
   *  where given, is a file that grows with each request. */
  constructor(name, url, child, log = null) {
    this.name = name;
    this.url = url;
    this.child = child;
    this.log = log;
    /** Whether its first answers may not be packed yet. */
    this.packsLater = false;
  }

  /** Whether it keeps a release from clients on purpose; only a gate does. */
  async withholds() {
    return false;
  }

  /** Looked up once: no server here starts or ends a process while it serves. */
  get pids() {
    this.members ??= family(this.child.pid);
    return this.members;
  }

  cpuSeconds() {
    return cpuSeconds(this.pids);
  }

  memory() {
    return memory(this.pids);
  }

  /** Whether it rests, after as long a wait as that takes, within reason. */
  async settle() {
    return settle(this.pids);
  }

  /** Half a minute of load writes a gigabyte of log. It is appended to, so it can be emptied while it is written. */
  emptyLog() {
    if (this.log) truncateSync(this.log);
  }

  async stop() {
    await stop(this.child);
  }
}
