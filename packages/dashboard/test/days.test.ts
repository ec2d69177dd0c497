import { expect, it, test } from 'vitest';
import {
  addDays,
  addMonths,
  countDays,
  dayAt,
  instantOf,
  isDay,
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

test.each([
  ['UTC', '2026-03-01'],
  ['Europe/Paris', '2026-03-01'],
  ['Asia/Kathmandu', '2026-03-02'],
  ['Pacific/Kiritimati', '2026-03-02'],
  ['America/Los_Angeles', '2026-03-01'],
])('the day in %s is %s', (timezone, day) => {
  expect(dayAt(new Date('2026-03-01T22:30:00Z'), timezone)).toBe(day);
});

test.each([
  ['2026-03-01 13:00:00', 'UTC', '2026-03-01T13:00:00Z'],
  ['2026-03-01', 'Asia/Kathmandu', '2026-02-28T18:15:00Z'],
  ['2026-03-01', 'America/Los_Angeles', '2026-03-01T08:00:00Z'],
  // On days with a change of the clocks.
  ['2026-10-25', 'Europe/Paris', '2026-10-24T22:00:00Z'],
  ['2026-10-25 02:00:00+02:00', 'Europe/Paris', '2026-10-25T00:00:00Z'],
  ['2026-10-25 02:00:00+01:00', 'Europe/Paris', '2026-10-25T01:00:00Z'],
  ['2026-04-05 01:00:00+11:00', 'Australia/Lord_Howe', '2026-04-04T14:00:00Z'],
  ['2026-04-05 01:00:00+10:30', 'Australia/Lord_Howe', '2026-04-04T15:00:00Z'], // from 01:30
  ['2026-10-25 12:00:00', 'Europe/Paris', '2026-10-25T11:00:00Z'],
  ['2026-03-29 12:00:00', 'Europe/Paris', '2026-03-29T10:00:00Z'],
  ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00Z'], // midnight twice
  ['2026-04-24', 'Africa/Cairo', '2026-04-23T22:00:00Z'], // no midnight
  ['2026-10-04 02:00:00', 'Australia/Lord_Howe', '2026-10-03T15:30:00Z'], // from 02:30
])('%s in %s is %s', (label, timezone, instant) => {
  expect(new Date(instantOf(label, timezone))).toEqual(new Date(instant));
});
