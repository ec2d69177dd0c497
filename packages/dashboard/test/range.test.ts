import { expect, it, test } from 'vitest';
import { customRange, includes, intervalOf, previous, resolve, type Range } from '../src/lib/range';

const today = '2026-03-14';
const custom = { from: '2026-01-01', to: '2026-01-10' };

test.each<[Range, [string, string], [string, string]]>([
  ['today', ['2026-03-14', '2026-03-14'], ['2026-03-13', '2026-03-13']],
  ['yesterday', ['2026-03-13', '2026-03-13'], ['2026-03-12', '2026-03-12']],
  ['7d', ['2026-03-08', '2026-03-14'], ['2026-03-01', '2026-03-07']],
  ['28d', ['2026-02-15', '2026-03-14'], ['2026-01-18', '2026-02-14']],
  ['30d', ['2026-02-13', '2026-03-14'], ['2026-01-14', '2026-02-12']],
  ['month', ['2026-03-01', '2026-03-14'], ['2026-02-15', '2026-02-28']],
  ['12mo', ['2025-04-01', '2026-03-14'], ['2024-04-01', '2025-03-14']],
  [custom, ['2026-01-01', '2026-01-10'], ['2025-12-22', '2025-12-31']],
])('%j', (range, [from, to], [fromBefore, toBefore]) => {
  expect(resolve(range, today)).toEqual({ from, to });
  expect(previous(range, today)).toEqual({ from: fromBefore, to: toBefore });
});

test.each([
  ['2026-03-14', '2026-03-14', 'time:hour'],
  ['2026-03-13', '2026-03-14', 'time:day'],
  ['2026-01-01', '2026-04-02', 'time:day'],
  ['2026-01-01', '2026-04-03', 'time:month'],
])('%s to %s is drawn by %s', (from, to, interval) => {
  expect(intervalOf({ from, to })).toBe(interval);
});

it('accepts only two days in order as a custom range', () => {
  expect(customRange('2026-01-01', '2026-01-01')).toEqual({ from: '2026-01-01', to: '2026-01-01' });
  expect(customRange('2026-01-02', '2026-01-01')).toBeUndefined();
  expect(customRange('2026-02-30', '2026-03-01')).toBeUndefined();
  expect(customRange('', '')).toBeUndefined();
});

it('reports whether a day is in a period', () => {
  expect(includes(custom, '2026-01-01')).toBe(true);
  expect(includes(custom, '2026-01-10')).toBe(true);
  expect(includes(custom, '2026-01-11')).toBe(false);
});
