/**
 * Calendar days as `YYYY-MM-DD` strings. Only instants need a time zone; arithmetic is done in
 * UTC, where each day has 24 hours.
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

/** The day in a time zone at an instant. */
export function dayAt(instant: Date, timezone: string): Day {
  return toDay(wallMs(instant.getTime(), timezone));
}

/**
 * The instant, in milliseconds, of a time label of the query function: `2026-10-25`,
 * `2026-10-25 01:00:00`, or with an offset `2026-10-25 02:00:00+02:00`. Of a time that clocks show
 * twice it is the first, and of one that they skip, that at which they are moved.
 */
export function instantOf(label: string, timezone: string): number {
  const [, day = '', time = '00:00:00', offset = ''] =
    /^(\S{10})(?: (\d\d:\d\d:\d\d)(\S+)?)?$/.exec(label) ?? [];
  const wall = Date.parse(`${day}T${time}Z`);
  if (offset) {
    const start = Date.parse(`${day}T${time}${offset}`);
    // Where clocks go back by half an hour, an hour begins with its second half.
    return wallMs(start, timezone) === wall ? start : start + dayMs / 48;
  }
  const [before, after] = [wall - dayMs, wall + dayMs].map(
    (near) => wall - (wallMs(near, timezone) - near),
  ) as [number, number];
  const shown = [before, after].filter((instant) => wallMs(instant, timezone) === wall);
  return shown.length > 0 ? Math.min(...shown) : before;
}

/** What clocks in a time zone show at an instant, as milliseconds of the same time in UTC. */
function wallMs(instant: number, timezone: string): number {
  const parts = Object.fromEntries(
    clock(timezone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
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
      minute: '2-digit',
      second: '2-digit',
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
