import { describe, expect, it } from 'vitest';
import type { LiveMessage } from '../src/api/types';
import { connect, openTimeout, type Clock, type LiveStatus } from '../src/live/connection';
import type { Transport, TransportHandlers } from '../src/live/transports';

/** A clock that the test advances. */
class ManualClock implements Clock {
  #now = 0;
  #alarms: { at: number; callback: () => void }[] = [];

  after = (ms: number, callback: () => void) => {
    const alarm = { at: this.#now + ms, callback };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  };

  // The maximum, so that delays are predictable.
  random = () => 1;

  advance(ms: number): void {
    this.#now += ms;
    for (const alarm of this.#alarms.filter(({ at }) => at <= this.#now)) {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
      alarm.callback();
    }
  }

  get pending(): number {
    return this.#alarms.length;
  }
}

interface Stream extends TransportHandlers {
  readonly name: string;
  closed: boolean;
}

function start() {
  const clock = new ManualClock();
  const streams: Stream[] = [];
  const statuses: LiveStatus[] = [];
  const messages: LiveMessage[] = [];
  let refusals = 0;
  const transport =
    (name: string): Transport =>
    (_, handlers) => {
      const stream: Stream = { ...handlers, name, closed: false };
      streams.push(stream);
      return () => {
        stream.closed = true;
      };
    };
  const connection = connect(
    new URL('http://localhost/live?site=example.com'),
    [transport('socket'), transport('events')],
    clock,
    {
      onMessage: (message) => messages.push(message),
      onStatus: (status) => statuses.push(status),
      onRefused: () => (refusals += 1),
    },
  );
  return {
    clock,
    connection,
    statuses,
    messages,
    names: () => streams.map(({ name }) => name),
    refusals: () => refusals,
    latest: () => {
      const stream = streams.at(-1);
      if (!stream) throw new Error('no transport was opened');
      return stream;
    },
  };
}

describe('connect', () => {
  it('uses the socket when it opens', () => {
    const { latest, names, statuses, messages, clock } = start();
    expect(statuses).toEqual(['connecting']);
    latest().onOpen();
    latest().onData('{"type":"visitors","visitors":2}');
    latest().onData('not for us');
    expect(statuses).toEqual(['connecting', 'live']);
    expect(messages).toEqual([{ type: 'visitors', visitors: 2 }]);
    expect(names()).toEqual(['socket']);
    expect(clock.pending).toBe(0);
  });

  it('falls back to events at once if the socket is rejected', () => {
    const { latest, names, statuses } = start();
    const socket = latest();
    socket.onClose();
    expect(names()).toEqual(['socket', 'events']);
    expect(socket.closed).toBe(true);
    latest().onOpen();
    expect(statuses).toEqual(['connecting', 'live']);
  });

  it('falls back if the socket does not open in time', () => {
    const { clock, names, latest } = start();
    const socket = latest();
    clock.advance(openTimeout);
    expect(socket.closed).toBe(true);
    expect(names()).toEqual(['socket', 'events']);
  });

  it('reconnects with the transport that worked', () => {
    const { clock, latest, names, statuses } = start();
    latest().onClose();
    latest().onOpen();
    latest().onClose();
    expect(statuses.at(-1)).toBe('disconnected');
    clock.advance(1_000);
    expect(names()).toEqual(['socket', 'events', 'events']);
    latest().onOpen();
    expect(statuses.at(-1)).toBe('live');
  });

  it('increases the delay up to half a minute until a message arrives', () => {
    const { clock, latest, names, refusals } = start();
    const refuse = () => {
      latest().onClose();
      latest().onClose();
    };
    refuse();
    for (const pause of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const tried = names().length;
      clock.advance(pause - 1);
      expect(names()).toHaveLength(tried);
      clock.advance(1);
      expect(names()).toHaveLength(tried + 1);
      refuse();
    }
    expect(refusals()).toBe(8);

    clock.advance(30_000);
    latest().onOpen();
    latest().onData('{"type":"visitors","visitors":1}');
    latest().onClose();
    const tried = names().length;
    clock.advance(1_000);
    expect(names()).toHaveLength(tried + 1);
  });

  it('reports that a stream is being resumed', () => {
    const { latest, names, statuses } = start();
    latest().onClose();
    latest().onOpen();
    latest().onInterrupted();
    expect(statuses.at(-1)).toBe('disconnected');
    latest().onOpen();
    expect(statuses.at(-1)).toBe('live');
    expect(names()).toEqual(['socket', 'events']);
  });

  it('reconnects at once on request, but only during a delay', () => {
    const { connection, clock, latest, names, statuses } = start();
    connection.retry();
    expect(names()).toEqual(['socket']);
    latest().onClose();
    latest().onClose();
    connection.retry();
    expect(statuses.at(-1)).toBe('connecting');
    expect(names()).toEqual(['socket', 'events', 'socket']);
    latest().onOpen();
    clock.advance(60_000);
    expect(names()).toHaveLength(3);
  });

  it('cleans up when it is closed', () => {
    const open = start();
    open.latest().onOpen();
    open.connection.close();
    expect(open.latest().closed).toBe(true);
    expect(open.clock.pending).toBe(0);

    const paused = start();
    paused.latest().onClose();
    paused.latest().onClose();
    paused.connection.close();
    paused.clock.advance(60_000);
    expect(paused.names()).toHaveLength(2);
    expect(paused.clock.pending).toBe(0);
  });
});
