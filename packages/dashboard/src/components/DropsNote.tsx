import { ChevronDown, FilterX } from 'lucide-react';
import { useDrops } from '../api/queries';
import type { Site } from '../api/types';
import { formatCount } from '../lib/format';

/** A note about the dropped events, which explain a number that seems low. */
export function DropsNote({ site }: { readonly site: Site }) {
  const drops = useDrops(site);
  const rows = [...(drops.data ?? [])].sort((a, b) => b.events - a.events);
  if (rows.length === 0) return null;
  const all = rows.reduce((sum, { events }) => sum + events, 0);
  return (
    <details className="card drops" data-testid="drops">
      <summary>
        <FilterX size={16} aria-hidden="true" />
        <span>
          <strong>{formatCount(all)}</strong> {all === 1 ? 'event was' : 'events were'} left out in
          the last 30 days
        </span>
        <ChevronDown className="drops-more" size={16} aria-hidden="true" />
      </summary>
      <dl>
        {rows.map(({ reason, events }) => (
          <div key={reason}>
            <dt>{reasons[reason] ?? reason}</dt>
            <dd>{formatCount(events)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** The reasons of docs/rules.md, in words for users. */
const reasons: Readonly<Record<string, string>> = {
  consent: 'The visitor asked not to be counted, or has not agreed',
  bot_user_agent: 'Sent by a program, as its user agent says',
  bot_headless: 'Sent by a browser that nobody looks at',
  bot_prefetch: 'Of a page loaded ahead, which may never be seen',
  bot_datacenter: 'Sent from a data center',
  excluded_hostname: 'Of a host that the rules leave out',
  excluded_path: 'Of a page that the rules leave out',
  excluded_address: 'From an address that the rules leave out',
  excluded_country: 'From a country that the rules leave out',
  not_sampled: 'Of a visitor who is not in the sample',
  rate: 'More than are taken in a minute',
  invalid: 'Wrong: the sender was told what',
  oversize: 'Too large',
  unsupported: 'No event, but another message of a tracker',
  unknown_site: 'Of a site that is not in this installation',
  duplicate: 'Sent twice, counted once',
  machine: 'More than 10,000 of one visitor in a day',
  site_gone: 'Of a site that was deleted meanwhile',
};
