// What was found, as text for docs/judgement.md.

const NAMED_MAX = 10;
const STRICTNESS = ['reject', 'review', 'hold', 'note'];
const SERVED = ['approved'];

/** `{ text, judged, review, rejected }`: the numbers are of the releases that the lockfiles name. */
export function report(results, apps) {
  const own = results.filter(({ locked }) => locked);
  const beside = results.filter(({ locked }) => !locked);
  const counted = (of, standing) => of.filter((one) => one.standing === standing).length;
  const lines = [`Applications: ${apps.join(', ')}, with all that they need to run and to be developed.`, ''];
  lines.push('| releases | all | served | to review | rejected | held | not had |', '|---|---|---|---|---|---|---|');
  for (const [what, of] of [['of the lockfiles', own], ['before them in their major line', beside]]) {
    const served = of.filter(({ standing }) => SERVED.includes(standing)).length;
    const [review, rejected, held] = ['in_review', 'rejected', 'held'].map((standing) => counted(of, standing));
    const rest = of.length - served - review - rejected - held;
    lines.push(`| ${what} | ${of.length} | ${served} | ${share(review, of)} | ${share(rejected, of)} | ${share(held, of)} | ${rest} |`);
  }
  lines.push('', '| finding | action | of the lockfiles | of 1,000 | before them | the first |', '|---|---|---|---|---|---|');
  for (const { kind, action, names } of kinds(results)) {
    const among = (of) => of.filter(({ release }) => names.has(release)).map(({ release }) => release);
    const [here, there] = [among(own), among(beside)];
    const per = own.length === 0 ? 0 : (1_000 * here.length) / own.length;
    const first = [...here, ...there].slice(0, NAMED_MAX).map((name) => `\`${name}\``).join(', ');
    lines.push(`| ${kind} | ${action} | ${here.length} | ${per.toFixed(1)} | ${there.length} | ${first} |`);
  }
  lines.push('', 'What was not served, and why:', '');
  for (const { release, sentence, standing, findings } of results) {
    if (SERVED.includes(standing)) continue;
    const acted = findings.filter(({ action }) => action !== 'note').map(({ kind, evidence }) => `${kind}: ${evidence}`);
    lines.push(`- \`${release}\` ${standing}: ${acted.join(' · ') || sentence}`);
  }
  const [review, rejected] = [counted(own, 'in_review'), counted(own, 'rejected')];
  return { text: `${lines.join('\n')}\n`, judged: own.length, review, rejected };
}

/** Each kind that was found, the strictest first and then the most frequent. */
function kinds(results) {
  const found = new Map();
  for (const { release, findings } of results) {
    for (const { kind, action } of findings) {
      const known = found.get(kind) ?? { kind, action, names: new Set() };
      known.names.add(release);
      if (STRICTNESS.indexOf(action) < STRICTNESS.indexOf(known.action)) known.action = action;
      found.set(kind, known);
    }
  }
  const strictness = ({ action }) => STRICTNESS.indexOf(action);
  return [...found.values()].sort((one, other) => strictness(one) - strictness(other) || other.names.size - one.names.size);
}

function share(count, of) {
  return of.length === 0 ? '0' : `${count} (${((100 * count) / of.length).toFixed(2)} %)`;
}
