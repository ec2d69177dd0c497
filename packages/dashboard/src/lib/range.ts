/** The date ranges of the dashboard, and the periods to compare them with. */
import type { TimeDimension } from '../api/types';
import { addDays, addMonths, countDays, isDay, startOfMonth, type Day } from './days';

export const rangeNames = {
  today: 'Today',
  yesterday: 'Yesterday',
  '7d': 'Last 7 days',
  '28d': 'Last 28 days',
  '30d': 'Last 30 days',
  month: 'Month to date',
  '12mo': 'Last 12 months',
} as const;

export type RangeName = keyof typeof rangeNames;

/** First and last day, inclusive. */
export interface Period {
  readonly from: Day;
  readonly to: Day;
}

/** A named range relative to today, or a fixed range of two days. */
export type Range = RangeName | Period;

export const defaultRange: RangeName = '28d';

export function isRangeName(text: string): text is RangeName {
  return Object.hasOwn(rangeNames, text);
}

/** Parses a range of two days. Returns undefined unless they are days in order. */
export function customRange(from: string, to: string): Period | undefined {
  return isDay(from) && isDay(to) && from <= to ? { from, to } : undefined;
}

/** The days of a range, given the current day at the site. */
export function resolve(range: Range, today: Day): Period {
  switch (range) {
    case 'today':
      return { from: today, to: today };
    case 'yesterday':
      return { from: addDays(today, -1), to: addDays(today, -1) };
    case '7d':
      return { from: addDays(today, -6), to: today };
    case '28d':
      return { from: addDays(today, -27), to: today };
    case '30d':
      return { from: addDays(today, -29), to: today };
    case 'month':
      return { from: startOfMonth(today), to: today };
    case '12mo':
      return { from: addMonths(startOfMonth(today), -11), to: today };
    default:
      return range;
  }
}

/**
 * The previous period of the same length. For twelve months it is the same months of the previous
 * year, since months differ in length.
 */
export function previous(range: Range, today: Day): Period {
  const { from, to } = resolve(range, today);
  if (range === '12mo') return { from: addMonths(from, -12), to: addMonths(to, -12) };
  const days = countDays(from, to);
  return { from: addDays(from, -days), to: addDays(from, -1) };
}

/** The interval of a period's trend: hours for a day, days up to a quarter, or else months. */
export function intervalOf({ from, to }: Period): TimeDimension {
  const days = countDays(from, to);
  if (days === 1) return 'time:hour';
  return days <= 92 ? 'time:day' : 'time:month';
}

export function includes({ from, to }: Period, day: Day): boolean {
  return from <= day && day <= to;
}
