import type { Site } from '../api/types';

/** The time zones that this browser supports, including its own. */
export function timezones(): { readonly own: string; readonly all: readonly string[] } {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const all = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', own]);
  return { own, all: [...all].sort() };
}

/** The time zone in force at a site at an instant. */
export function zoneOf(site: Site, instant: Date): string {
  const { timezone, timezone_since: since, previous_timezone: previous } = site;
  return since && previous && instant < new Date(since) ? previous : timezone;
}
