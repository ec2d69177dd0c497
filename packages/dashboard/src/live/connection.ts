/**
 * Keeps a connection to the live feed: the first transport that opens is used, and when it breaks
 * it is tried again with growing pauses. Time, chance and the transports come in as values.
 */
import type { LiveMessage } from '../api/types';
import { parseMessage } from './messages';
import type { Transport } from './transports';

export type LiveStatus = 'connecting' | 'live' | 'disconnected';

export interface Clock {
  /** Calls back after a number of milliseconds; what it returns cancels that. */
  readonly after: (ms: number, callback: () => void) => () => void;
  /** A number from 0 up to 1, so that many pages do not come back in the same moment. */
  readonly random: () => number;
}

export interface LiveHandlers {
  readonly onMessage: (message: LiveMessage) => void;
  readonly onStatus: (status: LiveStatus) => void;
  /** No transport could be opened: perhaps the session is over. */
  readonly onRefused: () => void;
}

export interface LiveConnection {
  /** Tries now instead of at the end of a pause. */
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
  // The transport to begin with: the last one that opened.
  let preferred = 0;
  // Connections that were refused or broke since the last message.
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
