// Medians and spreads.

export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `{ median, least, most, runs }`. */
export function spread(values) {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values), runs: values.length };
}

/** The ratio of two things measured in turn: of their medians, and the spread of the ratios within each round. `null` where the
 *  second did nothing in some round, such as give no answer in time. */
export function ratio(ours, theirs) {
  if (theirs.some((value) => !(value > 0))) return null;
  const rounds = ours.map((value, round) => value / theirs[round]);
  return { ...spread(rounds), median: median(ours) / median(theirs) };
}
