// Figures as people read them, and Markdown tables.

/** Three significant digits, thousands apart: 0.0123, 1.23, 12.3, 54,900. */
export function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (value === 0) return '0';
  const rounded = Number(value.toPrecision(3));
  return rounded >= 1_000 ? rounded.toLocaleString('en-US') : String(rounded);
}

/** A median with its spread: `1.2 (0.9 – 1.4)`; `none` where there is no figure. */
export function spreadOf(spread, none = '–') {
  return spread === null ? none : `${figure(spread.median)} (${figure(spread.least)} – ${figure(spread.most)})`;
}

export function size(bytes) {
  if (bytes >= 1e9) return `${figure(bytes / 1e9)} GB`;
  if (bytes >= 1e6) return `${figure(bytes / 1e6)} MB`;
  return bytes >= 1e3 ? `${figure(bytes / 1e3)} KB` : `${bytes} B`;
}

export function table(heads, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(heads), `|${heads.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

export function met(right) {
  return right ? 'met' : '**missed**';
}
