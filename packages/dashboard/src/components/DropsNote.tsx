import { ChevronDown, EyeOff, FilterX } from 'lucide-react';
import type { ReactNode } from 'react';
import { useDrops } from '../api/queries';
import type { Drop, Site } from '../api/types';
import { formatCount } from '../lib/format';

/**
 * A note about dropped events, which explain a number that seems low, and one about events that
 * track has changed: it has removed a part, and counted the rest.
 */
export function DropsNote({ site }: { readonly site: Site }) {
  const drops = [...(useDrops(site).data ?? [])].sort((a, b) => b.events - a.events);
  const changed = drops.filter(({ reason }) => reason in changes);
  const dropped = drops.filter((drop) => !changed.includes(drop));
  const all = dropped.reduce((sum, { events }) => sum + events, 0);
  return (
    <>
      {dropped.length > 0 && (
        <Note testId="drops" icon={<FilterX size={16} aria-hidden="true" />} rows={dropped}>
          <strong>{formatCount(all)}</strong> {all === 1 ? 'event was' : 'events were'} left out in
          the last 30 days
        </Note>
      )}
      {changed.length > 0 && (
        <Note testId="changes" icon={<EyeOff size={16} aria-hidden="true" />} rows={changed}>
          A part of what was sent was left out of counted events in the last 30 days
        </Note>
      )}
    </>
  );
}

interface NoteProps {
  readonly testId: string;
  readonly icon: ReactNode;
  readonly rows: readonly Drop[];
  readonly children: ReactNode;
}

/** A line that opens to the numbers of events by reason. */
function Note({ testId, icon, rows, children }: NoteProps) {
  return (
    <details className="card drops" data-testid={testId}>
      <summary>
        {icon}
        <span>{children}</span>
        <ChevronDown className="drops-more" size={16} aria-hidden="true" />
      </summary>
      <dl>
        {rows.map(({ reason, events }) => (
          <div key={reason}>
            <dt>{reasons[reason] ?? changes[reason] ?? reason}</dt>
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
  bot_unknown: 'Sent by a program: its user agent names neither a system nor a browser',
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
  unauthorized: 'With a write key that is wrong, or for another site',
  site_gone: 'Of a site that was deleted meanwhile',
};

/** Those of events that count, without a part of what was sent. */
const changes: Readonly<Record<string, string>> = {
  omitted: 'A field that was not valid',
  shortened: 'A part of a long value',
  masked_email: 'An e-mail address',
  masked_token: 'A token, a password or another secret',
  masked_card: 'The number of a payment card',
  masked_property: 'A property whose name suggests personal data',
  other_currency: 'An amount in a currency that the rules do not take',
  unproven_sender: 'The visitor whom a sender named without a write key',
};
