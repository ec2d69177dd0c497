import { describe, expect, it, test } from 'vitest';
import {
  addDays,
  addMonths,
  countDays,
  hoursOfDay,
  isDay,
  localTime,
  startOfMonth,
} from '../src/lib/days';

test.each([
  ['2026-02-28', true],
  ['2024-02-29', true],
  ['2026-02-29', false],
  ['2026-13-01', false],
  ['2026-2-1', false],
  ['yesterday', false],
  ['', false],
])('isDay(%j) is %j', (text, expected) => {
  expect(isDay(text)).toBe(expected);
});

test.each([
  ['2026-02-28', 1, '2026-03-01'],
  ['2024-02-28', 1, '2024-02-29'],
  ['2026-01-01', -1, '2025-12-31'],
  // Across both clock changes in Europe.
  ['2026-03-28', 2, '2026-03-30'],
  ['2026-10-24', 2, '2026-10-26'],
])('%s and %d days is %s', (day, days, expected) => {
  expect(addDays(day, days)).toBe(expected);
});

test.each([
  ['2026-01-31', 1, '2026-02-28'],
  ['2026-03-31', -1, '2026-02-28'],
  ['2024-02-29', -12, '2023-02-28'],
  ['2026-01-15', -11, '2025-02-15'],
])('%s and %d months is %s', (day, months, expected) => {
  expect(addMonths(day, months)).toBe(expected);
});

it('counts the days of a period inclusively', () => {
  expect(countDays('2026-03-01', '2026-03-01')).toBe(1);
  expect(countDays('2026-03-01', '2026-03-31')).toBe(31);
});

it('returns the first day of a month', () => {
  expect(startOfMonth('2026-03-17')).toBe('2026-03-01');
});

describe('localTime', () => {
  const instant = new Date('2026-03-01T22:30:00Z');

  test.each([
    ['UTC', '2026-03-01', '22:00'],
    ['Europe/Paris', '2026-03-01', '23:00'],
    ['Asia/Kathmandu', '2026-03-02', '04:00'],
    ['Pacific/Kiritimati', '2026-03-02', '12:00'],
    ['America/Los_Angeles', '2026-03-01', '14:00'],
  ])('in %s', (timezone, day, hour) => {
    expect(localTime(instant, timezone)).toEqual({ day, hour });
  });

  it('formats midnight as 00:00', () => {
    expect(localTime(new Date('2026-03-01T00:00:00Z'), 'UTC').hour).toBe('00:00');
  });
});

describe('hoursOfDay', () => {
  it.each(['UTC', 'Europe/Paris', 'Asia/Kathmandu', 'Pacific/Kiritimati', 'Etc/GMT+12'])(
    'has 24 in %s on an ordinary day',
    (timezone) => {
      const hours = hoursOfDay('2026-06-10', timezone);
      expect(hours).toHaveLength(24);
      expect(hours[0]).toBe('00:00');
      expect(hours[23]).toBe('23:00');
    },
  );

  it('omits the skipped hour', () => {
    const hours = hoursOfDay('2026-03-29', 'Europe/Paris');
    expect(hours).toHaveLength(23);
    expect(hours).not.toContain('02:00');
  });

  it('lists the repeated hour once', () => {
    const hours = hoursOfDay('2026-10-25', 'Europe/Paris');
    expect(hours).toHaveLength(24);
    expect(hours.slice(1, 4)).toEqual(['01:00', '02:00', '03:00']);
  });
});
