// What is asked of the figures: ratios within one run on one machine, and a few absolute ones.

export const TARGETS = {
  /** Requests a second, Airlock's divided by the other's. */
  packumentToNginx: 0.8,
  expressToPnpr: 20,
  notModifiedToNginx: 0.9,
  tarballToNginx: 0.8,
  tarballToPnpr: 1,
  /** Server CPU of a warm install, Airlock's divided by the other's. */
  warmCpuToPnpr: 0.1,
  warmCpuToVerdaccio: 0.02,
  /** Wall time of a cold install, through Airlock divided by straight. */
  coldToStraight: 1.15,
  /** Resident memory, in bytes. */
  idleBytes: 20e6,
  afterInstallsBytes: 120e6,
  /** The 99th percentile of latency divided by the median, with a thousand clients. */
  clientsP99ToP50: 10,
};

export function atLeast(value, target) {
  return value !== null && value >= target;
}

export function atMost(value, target) {
  return value !== null && value <= target;
}
