/** The time zones that this browser knows, and its own. */
export function timezones(): { readonly own: string; readonly all: readonly string[] } {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const all = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', own]);
  return { own, all: [...all].sort() };
}
