/** The two ways to the live feed, in one shape. They hold no policy: see connection.ts. */

export interface TransportHandlers {
  readonly onOpen: () => void;
  readonly onData: (data: string) => void;
  /** The stream broke, and the transport itself is about to resume it. */
  readonly onInterrupted: () => void;
  /** It is over, or never began. Called at most once, and not after the transport was closed. */
  readonly onClose: () => void;
}

/** Opens a stream; what it returns closes it. */
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
    // A gateway cuts streams at its timeout: the browser resumes such a one after the event it
    // saw last, which a new EventSource could not. One that never opened is not worth waiting for.
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
