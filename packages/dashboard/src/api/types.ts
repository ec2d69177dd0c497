/**
 * The types of the HTTP API of the platform's functions, except for `query`, whose types are in
 * @analytics-platform/types. Written by hand, without behaviour.
 */

import type * as query from '@analytics-platform/types';

/** A site. Its days begin at midnight in its time zone, see `zoneOf`. */
export interface Site {
  /** Public id, for example `s_7f3k`. */
  readonly id: string;
  readonly domain: string;
  readonly name: string;
  /** IANA name, for example `Europe/Paris`. */
  readonly timezone: string;
  /** During a pending change of the time zone: the zone in force until then. */
  readonly previous_timezone?: string;
  /** During a pending change of the time zone: when `timezone` takes effect, RFC 3339. */
  readonly timezone_since?: string;
  /** Whether its reports are public. */
  readonly public: boolean;
  /** RFC 3339. */
  readonly created_at: string;
}

export interface SiteList {
  readonly sites: readonly Site[];
}

export type NewSite = Pick<Site, 'domain' | 'timezone'>;

/** The number of events of a site that were dropped or changed for a reason in the last 30 days. */
export interface Drop {
  /** Domain; empty if the events named no site of the installation. */
  readonly site: string;
  /** For example `consent`; see docs/rules.md. */
  readonly reason: string;
  readonly events: number;
}

/** The part of the installation's status that the dashboard shows. */
export interface Status {
  readonly drops: readonly Drop[];
}

/** The session of a signed-in user. */
export interface Session {
  readonly role: string;
}

/** An RFC 9457 problem document. `field` names the invalid input. */
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

/** The intervals of trends. */
export type TimeDimension = Extract<query.TimeDimension, 'time:hour' | 'time:day' | 'time:month'>;

/** An event of the live feed. Unknown texts are empty. */
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

/** A message of `websocket-bridge/v1/live`. */
export type LiveMessage =
  | { readonly type: 'visitors'; readonly visitors: number }
  | { readonly type: 'event'; readonly event: LiveEvent };
