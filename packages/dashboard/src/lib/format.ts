/** Formats numbers, durations, days and places with Intl. */
import type { TimeDimension } from '../api/types';
import { toDate, type Day } from './days';

// The dashboard is in English, so dates and numbers use the user's variant of English.
const own = new Intl.NumberFormat().resolvedOptions().locale;
const locale = own.startsWith('en') ? own : 'en';

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
const fraction = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });

export function formatCount(value: number): string {
  return whole.format(value);
}

/** In full below 10,000, then for example `12.3K`. */
export function formatCompact(value: number): string {
  return value < 10_000 ? whole.format(value) : compact.format(value);
}

export function formatFraction(value: number): string {
  return fraction.format(value);
}

/** A percentage from 0 to 100. */
export function formatPercent(value: number): string {
  return percent.format(value / 100);
}

/** Seconds, for example as `45s`, `2m 14s` or `1h 3m`. */
export function formatDuration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return joined(Math.floor(s / 60), 'm', s % 60, 's');
  const minutes = Math.round(s / 60);
  return joined(Math.floor(minutes / 60), 'h', minutes % 60, 'm');
}

function joined(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit} ${small}${smallUnit}`;
}

const dayMonth = dates({ day: 'numeric', month: 'short' });
const dayMonthYear = dates({ day: 'numeric', month: 'short', year: 'numeric' });
const weekday = dates({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const month = dates({ month: 'short' });
const monthYear = dates({ month: 'long', year: 'numeric' });

/** The days of a period, for example `1 – 28 Feb 2026`. */
export function formatPeriod(from: Day, to: Day): string {
  return from === to
    ? weekday.format(toDate(from))
    : dayMonthYear.formatRange(toDate(from), toDate(to));
}

/** The label of a point on the axis of a trend. `at` has the format of the query function. */
export function formatTick(at: string, interval: TimeDimension): string {
  switch (interval) {
    case 'time:hour':
      return at.slice(11, 16);
    case 'time:day':
      return dayMonth.format(toDate(at.slice(0, 10)));
    case 'time:month':
      return month.format(toDate(at.slice(0, 10)));
  }
}

/** The full label of a point of a trend, with the offset of an hour that clocks show twice. */
export function formatMoment(at: string, interval: TimeDimension): string {
  const day = toDate(at.slice(0, 10));
  switch (interval) {
    case 'time:hour':
      return `${dayMonth.format(day)}, ${at.slice(11, 16)} ${at.slice(19)}`.trimEnd();
    case 'time:day':
      return weekday.format(day);
    case 'time:month':
      return monthYear.format(day);
  }
}

function dates(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' });
}

const regions = new Intl.DisplayNames(locale, { type: 'region', fallback: 'none' });

/** The name of a country, or the code itself if it is unknown. */
export function formatCountry(code: string): string {
  try {
    return regions.of(code) ?? code;
  } catch {
    return code;
  }
}

const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'narrow' });

/** The time since an instant, for example `12s ago`. */
export function formatAgo(time: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - time.getTime()) / 1000));
  if (seconds < 5) return 'now';
  if (seconds < 60) return relative.format(-seconds, 'second');
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), 'minute');
  return relative.format(-Math.floor(seconds / 3600), 'hour');
}
