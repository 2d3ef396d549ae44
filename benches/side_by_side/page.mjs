// docs/performance.md: what was measured is written between two marks, each part in a section of its own, so that a run of some parts
// leaves the others, and what people wrote around, as they are.

import { readFileSync, writeFileSync } from 'node:fs';

import { PARTS } from './options.mjs';
import { SECTIONS } from './sections.mjs';
import { size, table } from './words.mjs';

const BEGIN = '<!-- side_by_side: begin -->';
const END = '<!-- side_by_side: end -->';

/** Begins a section. */
const mark = (part) => `<!-- part: ${part} -->`;
/** Stands in each row of the table of targets, unseen: whose row it is. */
const owner = (part) => `<!-- ${part} -->`;

/** What others may use of the machine for figures that count, in cores. */
const QUIET_CORES = 0.1;

const HEADS = ['work', 'measured', 'target', ''];

/** Replaces one part's section and rows by the ones of `run`. */
export function write(file, run, part) {
  const page = readFileSync(file, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file} has no ${BEGIN} … ${END}`);
  const before = page.slice(0, begin + BEGIN.length);
  const kept = read(page.slice(begin + BEGIN.length, end));
  const { title, text, rows } = SECTIONS[part](run.parts[part].figures);
  const notes = run.parts[part].notes.map((note) => `- ${note}`).join('\n');
  kept.sections.set(part, [`### ${title}`, circumstances(run, part), ...(notes ? [notes] : []), text].join('\n\n'));
  kept.rows.set(part, rows.map(([work, measured, target, verdict]) => [work, measured, target, `${verdict}${owner(part)}`]));
  writeFileSync(file, `${before}\n\n${blocks(kept, machine(run.machine)).join('\n\n')}\n\n${page.slice(end)}`);
}

/** The sections and rows that are there, by part. */
function read(text) {
  const sections = new Map();
  for (const piece of text.split('<!-- part: ').slice(1)) {
    const [part] = piece.split(' -->', 1);
    sections.set(part, piece.slice(part.length + ' -->'.length).trim());
  }
  const rows = new Map();
  for (const line of text.split('\n')) {
    const part = PARTS.find((one) => line.startsWith('|') && line.includes(owner(one)));
    if (part) rows.set(part, [...(rows.get(part) ?? []), line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''))]);
  }
  return { sections, rows };
}

function blocks({ sections, rows }, described) {
  const there = PARTS.filter((part) => sections.has(part));
  const heading = 'Written by `make side-by-side`; what stands here is of the runs that each section names. A ratio is of the medians, with the lowest and'
    + ' highest within a round in brackets.';
  return [
    heading,
    table(HEADS, there.flatMap((part) => rows.get(part) ?? [])),
    described,
    ...there.map((part) => `${mark(part)}\n${sections.get(part)}`),
  ];
}

function machine({ cpu, cores, memory, kernel, versions }) {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `Machine of the last run: ${cores} cores (${cpu}), ${size(memory)}, ${kernel}. ${programs.join(', ')}.`;
}

/** When and with what a part was measured, and how busy the machine was. */
function circumstances(run, part) {
  const { at, busy, load, options } = run.parts[part];
  const { commit, changed, binary } = run.machine;
  const built = `${commit}${changed ? ' with changes' : ''}, binary ${binary}`;
  const command = `make side-by-side ARGS="${[part, ...run.command.filter((word) => !PARTS.includes(word))].join(' ')}"`;
  const driven = part.endsWith('install') || part === 'clients' ? '' : ` Rounds of ${options.seconds} s on each server: ${options.rounds}; ${options.connections} connections.`;
  return `${at.slice(0, 16).replace('T', ' ')} UTC, ${built}; others kept ${busy} cores busy before it began${busy > QUIET_CORES ? ', **so these figures are rough**' : ''}, load average ${load[0].join(', ')} before, ${load[1].join(', ')} after.${driven} \`${command}\``;
}
