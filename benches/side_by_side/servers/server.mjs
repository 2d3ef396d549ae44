// A server under measurement: where it answers, who its processes are, what they used.

import { stop } from '../children.mjs';
import { cpuSeconds, family, memory, settle } from '../usage.mjs';

export class Server {
  /** `name` is how the page calls it; `url` has no slash at its end; `child` is its first process. */
  constructor(name, url, child) {
    this.name = name;
    this.url = url;
    this.child = child;
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

  async settle() {
    await settle(this.pids);
  }

  async stop() {
    await stop(this.child);
  }
}
