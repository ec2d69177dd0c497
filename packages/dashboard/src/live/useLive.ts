import { useEffect, useEffectEvent, useReducer, useRef } from 'react';
import { functionUrl } from '../api/client';
import type { LiveEvent } from '../api/types';
import {
  connect,
  type Clock,
  type LiveConnection,
  type LiveHandlers,
  type LiveStatus,
} from './connection';
import { eventSource, webSocket } from './transports';

/** The number of latest events to show. */
export const feedLength = 20;

/** An event of the feed with a unique key. */
export interface FeedEvent extends LiveEvent {
  readonly key: number;
}

export interface Live {
  readonly status: LiveStatus;
  /** Visitors in the last five minutes; undefined until known. */
  readonly visitors: number | undefined;
  /** The latest events, newest first. */
  readonly events: readonly FeedEvent[];
  readonly retry: () => void;
}

type State = Omit<Live, 'retry'>;

type Action =
  | { readonly type: 'status'; readonly status: LiveStatus }
  | { readonly type: 'visitors'; readonly visitors: number }
  | { readonly type: 'event'; readonly event: LiveEvent };

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'status':
      return { ...state, status: action.status };
    case 'visitors':
      return { ...state, visitors: action.visitors };
    case 'event': {
      const key = (state.events[0]?.key ?? 0) + 1;
      return { ...state, events: [{ ...action.event, key }, ...state.events].slice(0, feedLength) };
    }
  }
}

const clock: Clock = {
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  random: Math.random,
};

/** Follows the live feed of a site while the component is mounted. */
export function useLive(site: string, on: Pick<LiveHandlers, 'onRefused'>): Live {
  const [state, dispatch] = useReducer(reduce, {
    status: 'connecting',
    visitors: undefined,
    events: [],
  });
  const connection = useRef<LiveConnection>(undefined);
  const onRefused = useEffectEvent(on.onRefused);

  useEffect(() => {
    const url = functionUrl('websocket-bridge', 'v1/live');
    url.searchParams.set('site', site);
    const live = connect(url, [webSocket, eventSource], clock, {
      onMessage: dispatch,
      onStatus: (status) => {
        dispatch({ type: 'status', status });
      },
      onRefused: () => {
        onRefused();
      },
    });
    connection.current = live;
    window.addEventListener('online', live.retry);
    return () => {
      window.removeEventListener('online', live.retry);
      live.close();
    };
  }, [site]);

  return {
    ...state,
    retry: () => {
      connection.current?.retry();
    },
  };
}
