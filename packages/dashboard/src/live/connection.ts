/**
 * Maintains a connection to the live feed. It uses the first transport that opens, and reconnects
 * with increasing delays. Time, randomness and transports are passed in.
 */
import type { LiveMessage } from '../api/types';
import { parseMessage } from './messages';
import type { Transport } from './transports';

export type LiveStatus = 'connecting' | 'live' | 'disconnected';

export interface Clock {
  /** Calls back after a number of milliseconds. Returns a function that cancels the callback. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** A random number in [0, 1), so that pages do not reconnect at the same time. */
  readonly random: () => number;
}

export interface LiveHandlers {
  readonly onMessage: (message: LiveMessage) => void;
  readonly onStatus: (status: LiveStatus) => void;
  /** No transport could be opened; the session may have expired. */
  readonly onRefused: () => void;
}

export interface LiveConnection {
  /** Reconnects now instead of after the delay. */
  readonly retry: () => void;
  readonly close: () => void;
}

/** How long a transport may take to open, in milliseconds. */
export const openTimeout = 5_000;

const firstPause = 1_000;
const longestPause = 30_000;

export function connect(
  url: URL,
  transports: readonly Transport[],
  clock: Clock,
  handlers: LiveHandlers,
): LiveConnection {
  // The transport to try first: the last one that opened.
  let preferred = 0;
  // The number of connections that failed since the last message.
  let failures = 0;
  let cancel: () => void = () => undefined;
  let paused = false;

  const open = (tried: number) => {
    paused = false;
    const index = (preferred + tried) % transports.length;
    const transport = transports[index];
    if (!transport) return;

    let opened = false;
    const failed = () => {
      cancel();
      if (opened) {
        pause();
      } else if (tried + 1 < transports.length) {
        open(tried + 1);
      } else {
        handlers.onRefused();
        pause();
      }
    };
    const cancelTimeout = clock.after(openTimeout, failed);
    const closeTransport = transport(url, {
      onOpen: () => {
        cancelTimeout();
        opened = true;
        preferred = index;
        handlers.onStatus('live');
      },
      onData: (data) => {
        failures = 0;
        const message = parseMessage(data);
        if (message) handlers.onMessage(message);
      },
      onInterrupted: () => {
        handlers.onStatus('disconnected');
      },
      onClose: failed,
    });
    cancel = () => {
      cancelTimeout();
      closeTransport();
    };
  };

  const pause = () => {
    paused = true;
    handlers.onStatus('disconnected');
    const longest = Math.min(longestPause, firstPause * 2 ** failures);
    failures += 1;
    cancel = clock.after(longest * (0.5 + clock.random() / 2), () => {
      open(0);
    });
  };

  handlers.onStatus('connecting');
  open(0);

  return {
    retry: () => {
      if (!paused) return;
      cancel();
      handlers.onStatus('connecting');
      open(0);
    },
    close: () => {
      cancel();
    },
  };
}
