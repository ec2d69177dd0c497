import { Eye, Filter, MousePointerClick, Target, Unplug, Zap, type LucideIcon } from 'lucide-react';
import { formatAgo, formatCountry } from '../lib/format';
import { useNow } from '../lib/useNow';
import type { FeedEvent, Live } from '../live/useLive';

/** The current activity on the site. */
export function LivePanel({ live }: { readonly live: Live }) {
  const now = useNow(5_000);
  return (
    <section className="card live" data-testid="live-feed" aria-label="Live">
      <div className="tabs-head">
        <h2>Live</h2>
        <span className="live-status" data-status={live.status}>
          <span className="dot" aria-hidden="true" /> {statusNames[live.status]}
        </span>
      </div>
      {live.status === 'disconnected' && (
        <div className="live-lost" role="status">
          <Unplug size={16} aria-hidden="true" />
          <span>No live connection. Trying again.</span>
          <button type="button" className="button" onClick={live.retry}>
            Retry now
          </button>
        </div>
      )}
      {live.events.length === 0 ? (
        <p className="empty">The next visits show up here as they happen.</p>
      ) : (
        <div className="feed" role="region" aria-label="Last events" tabIndex={0}>
          <ol>
            {live.events.map((event) => (
              <FeedItem key={event.key} event={event} now={now} />
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}

const statusNames = {
  connecting: 'Connecting',
  live: 'Connected',
  disconnected: 'Disconnected',
} as const;

const kinds: Readonly<Record<string, { readonly name: string; readonly Icon: LucideIcon }>> = {
  view: { name: 'Page view', Icon: Eye },
  click: { name: 'Click', Icon: MousePointerClick },
  conversion: { name: 'Conversion', Icon: Target },
  funnel_step: { name: 'Funnel step', Icon: Filter },
};

function FeedItem({ event, now }: { readonly event: FeedEvent; readonly now: Date }) {
  const { name: kind, Icon } = kinds[event.type] ?? { name: event.type, Icon: Zap };
  const time = new Date(event.time);
  const country = event.country === '' ? '' : formatCountry(event.country);
  const about = [event.source, country, event.browser, event.os].filter((text) => text !== '');
  return (
    <li data-testid="live-event">
      <span className={`feed-icon feed-${event.type}`}>
        <Icon size={15} aria-hidden="true" />
      </span>
      <div className="feed-text">
        <p className="ellipsis" title={event.page}>
          <span className="visually-hidden">{kind}: </span>
          {event.name !== '' && <strong>{event.name} </strong>}
          <span>{event.page}</span>
        </p>
        <p className="muted ellipsis">{about.join(' · ')}</p>
      </div>
      <time dateTime={event.time} title={time.toLocaleTimeString()}>
        {formatAgo(time, now)}
      </time>
    </li>
  );
}
