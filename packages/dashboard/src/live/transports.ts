/** The two transports of the live feed. They have no policy: see connection.ts. */

export interface TransportHandlers {
  readonly onOpen: () => void;
  readonly onData: (data: string) => void;
  /** The stream broke, and the transport will resume it. */
  readonly onInterrupted: () => void;
  /** The stream ended or never started. Called at most once, and not after closing the transport. */
  readonly onClose: () => void;
}

/** Opens a stream, and returns a function that closes it. */
export type Transport = (url: URL, handlers: TransportHandlers) => () => void;

export const webSocket: Transport = (url, handlers) => {
  const address = new URL(url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const listening = new AbortController();
  const { signal } = listening;
  const socket = new WebSocket(address);
  socket.addEventListener('open', handlers.onOpen, { signal });
  socket.addEventListener(
    'message',
    ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') handlers.onData(data);
    },
    { signal },
  );
  socket.addEventListener('close', handlers.onClose, { signal, once: true });
  return () => {
    listening.abort();
    socket.close();
  };
};

export const eventSource: Transport = (url, handlers) => {
  const source = new EventSource(url);
  let opened = false;
  const onData = ({ data }: MessageEvent<unknown>) => {
    if (typeof data === 'string') handlers.onData(data);
  };
  source.addEventListener('open', () => {
    opened = true;
    handlers.onOpen();
  });
  source.addEventListener('visitors', onData);
  source.addEventListener('event', onData);
  source.addEventListener('error', () => {
    // A gateway cuts streams at its timeout. The browser resumes the stream after the last event,
    // which a new EventSource could not. A stream that never opened is given up.
    if (opened && source.readyState === EventSource.CONNECTING) {
      handlers.onInterrupted();
      return;
    }
    source.close();
    handlers.onClose();
  });
  return () => {
    source.close();
  };
};
