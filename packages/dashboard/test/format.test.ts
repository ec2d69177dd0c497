import { describe, expect, it, test } from 'vitest';
import {
  formatAgo,
  formatCompact,
  formatCount,
  formatCountry,
  formatDuration,
  formatFraction,
  formatMoment,
  formatPercent,
  formatPeriod,
  formatTick,
} from '../src/lib/format';

test.each([
  [0, '0'],
  [9_999, '9,999'],
  [12_345, '12.3K'],
  [1_100_000, '1.1M'],
])('formatCompact(%d) is %s', (value, expected) => {
  expect(formatCompact(value)).toBe(expected);
});

it('formats counts in full', () => {
  expect(formatCount(1_234_567)).toBe('1,234,567');
});

it('formats percentages and fractions with few digits', () => {
  expect(formatPercent(43.26)).toBe('43.3%');
  expect(formatPercent(100)).toBe('100%');
  expect(formatFraction(2.345)).toBe('2.35');
  expect(formatFraction(2)).toBe('2');
});

test.each([
  [0, '0s'],
  [59.4, '59s'],
  [59.6, '1m'],
  [60, '1m'],
  [134, '2m 14s'],
  [3_600, '1h'],
  [3_780, '1h 3m'],
])('formatDuration(%d) is %s', (seconds, expected) => {
  expect(formatDuration(seconds)).toBe(expected);
});

it('formats periods', () => {
  expect(formatPeriod('2026-02-01', '2026-02-28')).toBe('Feb 1\u2009–\u200928, 2026');
  expect(formatPeriod('2026-02-01', '2026-02-01')).toBe('Sun, Feb 1, 2026');
});

it('formats the points of a trend', () => {
  expect(formatTick('2026-02-01 13:00:00', 'time:hour')).toBe('13:00');
  expect(formatMoment('2026-02-01 13:00:00', 'time:hour')).toBe('Feb 1, 13:00');
  expect(formatTick('2026-10-25 02:00:00+01:00', 'time:hour')).toBe('02:00');
  expect(formatMoment('2026-10-25 02:00:00+01:00', 'time:hour')).toBe('Oct 25, 02:00 +01:00');
  expect(formatTick('2026-02-01', 'time:day')).toBe('Feb 1');
  expect(formatMoment('2026-02-01', 'time:day')).toBe('Sun, Feb 1, 2026');
  expect(formatTick('2026-02-01', 'time:month')).toBe('Feb');
  expect(formatMoment('2026-02-01', 'time:month')).toBe('February 2026');
});

describe('formatCountry', () => {
  it('returns the names of countries', () => {
    expect(formatCountry('FR')).toBe('France');
  });

  it('returns an unknown code unchanged', () => {
    expect(formatCountry('QX')).toBe('QX');
    expect(formatCountry('not a code')).toBe('not a code');
  });
});

test.each([
  [0, 'now'],
  [-5_000, 'now'],
  [12_000, '12s ago'],
  [125_000, '2m ago'],
  [7_300_000, '2h ago'],
])('%d ms ago is "%s"', (ms, expected) => {
  const now = new Date('2026-03-14T12:00:00Z');
  expect(formatAgo(new Date(now.getTime() - ms), now)).toBe(expected);
});
