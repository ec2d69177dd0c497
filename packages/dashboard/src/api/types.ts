/**
 * What the platform's functions answer and ask for over HTTP, but for `query`, whose types are
 * those of @analytics-platform/types. Written by hand; nothing here has behaviour.
 */

import type * as query from '@analytics-platform/types';

/** A site whose visits are counted. Its days begin at midnight in its time zone, see `zoneOf`. */
export interface Site {
  /** Public id, for example `s_7f3k`. */
  readonly id: string;
  readonly domain: string;
  readonly name: string;
  /** IANA name, for example `Europe/Paris`. */
  readonly timezone: string;
  /** While a change of the time zone waits: the zone that is in force until then. */
  readonly previous_timezone?: string;
  /** While a change of the time zone waits: when `timezone` takes effect, RFC 3339. */
  readonly timezone_since?: string;
  /** Anyone may read its reports. */
  readonly public: boolean;
  /** RFC 3339. */
  readonly created_at: string;
}

export interface SiteList {
  readonly sites: readonly Site[];
}

export type NewSite = Pick<Site, 'domain' | 'timezone'>;

/** How many events of a site were left out for a reason in the last 30 days. */
export interface LeftOut {
  /** Domain; empty when the events named no site of the installation. */
  readonly site: string;
  /** Such as `consent`; docs/rules.md says what each means. */
  readonly reason: string;
  readonly events: number;
}

/** Facts of the installation: what of them is shown. */
export interface Status {
  readonly drops: readonly LeftOut[];
}

/** Who is signed in. */
export interface Session {
  readonly role: string;
}

/** An RFC 9457 problem document. `field` names the input that is to blame. */
export interface Problem {
  readonly title: string;
  readonly detail?: string;
  readonly code?: string;
  readonly field?: string;
  readonly status?: number;
}

/** The metrics that the dashboard shows. */
export type Metric = Extract<
  query.Metric,
  | 'visitors'
  | 'visits'
  | 'pageviews'
  | 'events'
  | 'views_per_visit'
  | 'bounce_rate'
  | 'visit_duration'
>;

/** The periods that it shows trends by. */
export type TimeDimension = Extract<query.TimeDimension, 'time:hour' | 'time:day' | 'time:month'>;

/** One event as the live feed shows it. Texts that are not known are empty. */
export interface LiveEvent {
  /** RFC 3339. */
  readonly time: string;
  readonly type: string;
  readonly name: string;
  readonly page: string;
  readonly source: string;
  /** ISO 3166 alpha-2. */
  readonly country: string;
  readonly browser: string;
  readonly os: string;
  readonly device: string;
}

/** What `websocket-bridge/v1/live` sends. */
export type LiveMessage =
  | { readonly type: 'visitors'; readonly visitors: number }
  | { readonly type: 'event'; readonly event: LiveEvent };
