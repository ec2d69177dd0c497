import { expect, it, test } from 'vitest';
import { parseMessage } from '../src/live/messages';

it('decodes the number of visitors', () => {
  expect(parseMessage('{"type":"visitors","visitors":3}')).toEqual({
    type: 'visitors',
    visitors: 3,
  });
});

it('decodes events, with empty texts for missing fields', () => {
  const event = { time: '2026-03-14T12:00:00Z', type: 'view', page: '/pricing', country: 'FR' };
  expect(parseMessage(JSON.stringify({ type: 'event', event }))).toEqual({
    type: 'event',
    event: { ...event, name: '', source: '', browser: '', os: '', device: '' },
  });
});

test.each([
  '',
  'ping',
  'null',
  '[]',
  '{"type":"visitors","visitors":"3"}',
  '{"type":"event"}',
  '{"type":"event","event":{"time":"soon"}}',
  '{"type":"news"}',
])('does not know %j', (data) => {
  expect(parseMessage(data)).toBeUndefined();
});
