/**
 * Calendar days as `YYYY-MM-DD` strings. Only the current day and hour need a time zone; arithmetic
 * is done in UTC, where each day has 24 hours.
 */

const dayMs = 86_400_000;

/** A calendar day, `YYYY-MM-DD`. */
export type Day = string;

export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && toDay(ms) === text;
}

export function addDays(day: Day, days: number): Day {
  return toDay(utcMs(day) + days * dayMs);
}

/** The same day of another month, or the last day of that month if it is shorter. */
export function addMonths(day: Day, months: number): Day {
  const date = new Date(utcMs(day));
  const month = date.getUTCMonth() + months;
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate();
  return toDay(Date.UTC(date.getUTCFullYear(), month, Math.min(date.getUTCDate(), lastDay)));
}

export function startOfMonth(day: Day): Day {
  return `${day.slice(0, 7)}-01`;
}

/** The number of days from the first to the last, inclusive. */
export function countDays(from: Day, to: Day): number {
  return Math.round((utcMs(to) - utcMs(from)) / dayMs) + 1;
}

/** The day as a date at midnight UTC, for a formatter in UTC. */
export function toDate(day: Day): Date {
  return new Date(utcMs(day));
}

/** The local time in a time zone at an instant: the day, and the hour as `13:00`. */
export function localTime(instant: Date, timezone: string): { day: Day; hour: string } {
  const parts = Object.fromEntries(
    clock(timezone)
      .formatToParts(instant)
      .map((part) => [part.type, part.value]),
  );
  return {
    day: `${parts.year ?? ''}-${parts.month ?? ''}-${parts.day ?? ''}`,
    hour: `${parts.hour ?? ''}:00`,
  };
}

/**
 * The local hours of a day in a time zone, as `13:00`. An hour that is skipped when the clocks go
 * forward is missing; an hour that is repeated when they go back is listed once.
 */
export function hoursOfDay(day: Day, timezone: string): string[] {
  const hours = new Set<string>();
  // Offsets are between UTC-12 and UTC+14, in steps of a quarter of an hour.
  const end = utcMs(day) + 36 * 3_600_000;
  for (let ms = utcMs(day) - 14 * 3_600_000; ms <= end; ms += 900_000) {
    const local = localTime(new Date(ms), timezone);
    if (local.day === day) hours.add(local.hour);
  }
  return [...hours];
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(timezone: string): Intl.DateTimeFormat {
  let format = clocks.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('en', {
      timeZone: timezone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
    });
    clocks.set(timezone, format);
  }
  return format;
}

function utcMs(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`);
}

function toDay(ms: number): Day {
  return new Date(ms).toISOString().slice(0, 10);
}
