import { expect, it } from 'vitest';
import { zoneOf } from '../src/lib/timezones';
import { site } from './platform';

it('keeps the previous time zone until the change takes effect', () => {
  const paris = { ...site, timezone: 'Europe/Paris' };
  const waiting = {
    ...paris,
    previous_timezone: 'Asia/Tokyo',
    timezone_since: '2026-03-01T15:00:00Z',
  };
  expect(zoneOf(paris, new Date('2026-03-01T14:59:59Z'))).toBe('Europe/Paris');
  expect(zoneOf(waiting, new Date('2026-03-01T14:59:59Z'))).toBe('Asia/Tokyo');
  expect(zoneOf(waiting, new Date('2026-03-01T15:00:00Z'))).toBe('Europe/Paris');
});
