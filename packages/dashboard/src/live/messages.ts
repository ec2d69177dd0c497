/** Decodes messages of the live feed. */
import type { LiveEvent, LiveMessage } from '../api/types';

/** The message in a frame, or undefined if its type is unknown. */
export function parseMessage(data: string): LiveMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isObject(message)) return undefined;
  if (message.type === 'visitors' && typeof message.visitors === 'number') {
    return { type: 'visitors', visitors: message.visitors };
  }
  if (message.type === 'event' && isObject(message.event)) {
    const event = toEvent(message.event);
    return event && { type: 'event', event };
  }
  return undefined;
}

function toEvent(from: Readonly<Record<string, unknown>>): LiveEvent | undefined {
  const text = (name: keyof LiveEvent) => {
    const value = from[name];
    return typeof value === 'string' ? value : '';
  };
  if (Number.isNaN(Date.parse(text('time')))) return undefined;
  return {
    time: text('time'),
    type: text('type'),
    name: text('name'),
    page: text('page'),
    source: text('source'),
    country: text('country'),
    browser: text('browser'),
    os: text('os'),
    device: text('device'),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
