/* Made from functions/query/openapi.json by generate.js. */

export interface paths {
    readonly "/api/v2/query": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Trends and breakdowns, asked for in the address
         * @description As POST, for caches and links.
         */
        readonly get: operations["queryByAddress"];
        readonly put?: never;
        /**
         * Trends and breakdowns
         * @description Metrics of the events that match all filters and lie in the range, in all or for each value of the dimensions.
         */
        readonly post: operations["query"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/funnels": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * A funnel, asked for in the address
         * @description As POST, for caches and links.
         */
        readonly get: operations["funnelByAddress"];
        readonly put?: never;
        /**
         * How far visitors get on a way of several steps
         * @description Of a visitor on one day. A step is reached when the events of that day have all steps up to it, within the window from the first one on: each a later event than the one before. Who tries several times counts once, as far as the best try got.
         */
        readonly post: operations["funnel"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/cohorts": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Cohorts, asked for in the address
         * @description As POST, for caches and links.
         */
        readonly get: operations["cohortsByAddress"];
        readonly put?: never;
        /**
         * What became of visitors who have something in common
         * @description Acquisition cohorts are of visitors on one day, by what brought them: how many then did something. Retention cohorts are of subjects, the references that sites pass for persons who have agreed: how many came back.
         */
        readonly post: operations["cohorts"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/journeys": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Journeys, asked for in the address
         * @description As POST, for caches and links.
         */
        readonly get: operations["journeysByAddress"];
        readonly put?: never;
        /**
         * Which ways visits take from an event on, or to one
         * @description A visit is looked at from its first event that matches `from`, or back from its last one that matches `to`: the pages that it views and the names of its other events, where the same one several times in succession counts once. The answer is a graph, as a Sankey diagram shows it.
         */
        readonly post: operations["journeys"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/visits": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Single visits, asked for in the address
         * @description As POST, for caches and links. It takes the owner's token or a key: share links and public sites show no single visits.
         */
        readonly get: operations["visitsByAddress"];
        readonly put?: never;
        /**
         * Single visits
         * @description The visits that have an event which matches all filters and lies in the range, the latest first. It takes the owner's token or a key: share links and public sites show no single visits.
         */
        readonly post: operations["visits"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/visits/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * What happened in a visit
         * @description The visit, and its events in order. It takes the owner's token or a key: share links and public sites show no single visits.
         */
        readonly get: operations["visit"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/export": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * All that is stored of events, as a file
         * @description As NDJSON unless `format` or `Accept` say otherwise. A file may take 15 minutes; each row has a `cursor` from which the next ones can be asked for. It takes the owner's token or a key: share links and public sites show no single visits.
         */
        readonly get: operations["exportEventsByAddress"];
        readonly put?: never;
        /**
         * All that is stored of events, as a file
         * @description As NDJSON unless `format` or `Accept` say otherwise. A file may take 15 minutes; each row has a `cursor` from which the next ones can be asked for. It takes the owner's token or a key: share links and public sites show no single visits.
         */
        readonly post: operations["exportEvents"];
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/v1/realtime": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The last half hour
         * @description As far as it is stored: events are, within a minute after they happened. The function `websocket-bridge` pushes live numbers.
         */
        readonly get: operations["realtime"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/stats/realtime/visitors": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The visitors of the last five minutes
         * @description How many there are, as in the snapshot of the last half hour, at the address that Plausible's Stats API v1 has for it.
         */
        readonly get: operations["present"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/openapi.json": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * This document
         * @description It needs no key.
         */
        readonly get: operations["document"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Domain or public id of a site */
        readonly SiteID: string;
        /**
         * @description A number that a question can ask for, of the events of a row:
         *
         *     - `visitors`: visitors, each counted once a day
         *     - `visits`: visits that any of the events belongs to, in the period in which they began
         *     - `pageviews`: views of pages
         *     - `events`: all events
         *     - `bounce_rate`: percent, whole, 0 to 100: of the visits, those with a single event
         *     - `visit_duration`: seconds, whole: mean of the visits, from the first to the last event
         *     - `views_per_visit`: to two decimals
         *     - `scroll_depth`: percent, whole, 1 to 100: mean of how far visits scrolled a page at the most; null when none was measured. It needs the dimension `event:page` or a filter by it
         *     - `time_on_page`: seconds, whole: mean for which visits had a page visible and in focus; null when none was measured. It needs the dimension `event:page` or a filter by it
         *     - `percentage`: percent, to two decimals: the row's share of all visitors. It needs a dimension
         *     - `conversion_rate`: percent, to two decimals: of the visitors that the question has without its dimensions, its goals and its filters by properties, those who reached the goal. It needs the dimension `event:goal`, or a filter by it that is in no other
         *     - `group_conversion_rate`: percent, to two decimals: of the visitors that the row has without the goals and the filters by properties, those who reached the goal. It needs the same
         *     - `total_revenue`, `average_revenue`: money, the sum of the amounts of the events and their mean; null without any, and when they are of several currencies
         * @enum {string}
         */
        readonly Metric: "visitors" | "visits" | "pageviews" | "events" | "bounce_rate" | "visit_duration" | "views_per_visit" | "scroll_depth" | "time_on_page" | "percentage" | "conversion_rate" | "group_conversion_rate" | "total_revenue" | "average_revenue";
        /**
         * @description Local periods of the site. Weeks begin on Monday, the first one with the range. `time` is chosen by the range: hours up to 2 days, days up to 41, weeks up to 53 weeks, else months
         * @enum {string}
         */
        readonly TimeDimension: "time" | "time:minute" | "time:hour" | "time:day" | "time:week" | "time:month";
        /**
         * @description The names of the site's goals. An event that reaches several counts for each
         * @constant
         */
        readonly GoalDimension: "event:goal";
        /**
         * @description What two events of one visit may differ in: the path of the page, the name of an event, the host, the label of the page's version, the currency of an amount (ISO 4217)
         * @enum {string}
         */
        readonly EventDimension: "event:page" | "event:name" | "event:hostname" | "event:tag" | "event:currency";
        /** @description A property of events, `event:props:KEY`, of a key of at most 300 bytes. Events without it have the value `(none)` */
        readonly PropertyDimension: `event:props:${string}`;
        /**
         * @description What all events of a visit have in common. `visit:country` is an ISO 3166 code of two letters. What is not known is `Direct / None` of `visit:source` and `visit:referrer`, `(not set)` of browsers, systems, devices and `utm_`, and an empty text of all others. Visits without a page, a region or a city are left out where these are asked for
         * @enum {string}
         */
        readonly VisitDimension: "visit:entry_page" | "visit:exit_page" | "visit:entry_page_hostname" | "visit:exit_page_hostname" | "visit:referrer" | "visit:source" | "visit:channel" | "visit:utm_source" | "visit:utm_medium" | "visit:utm_campaign" | "visit:utm_term" | "visit:utm_content" | "visit:country" | "visit:country_name" | "visit:region" | "visit:region_name" | "visit:city" | "visit:city_name" | "visit:browser" | "visit:browser_version" | "visit:os" | "visit:os_version" | "visit:device" | "visit:language" | "visit:screen";
        /** @description What a question groups by */
        readonly Dimension: components["schemas"]["TimeDimension"] | components["schemas"]["GoalDimension"] | components["schemas"]["EventDimension"] | components["schemas"]["PropertyDimension"] | components["schemas"]["VisitDimension"];
        /** @description What a filter looks at */
        readonly FilterDimension: components["schemas"]["GoalDimension"] | components["schemas"]["EventDimension"] | components["schemas"]["PropertyDimension"] | components["schemas"]["VisitDimension"];
        /**
         * @description How a filter compares: equal to any of its values, or to none; with any of them in it (not empty), or none; any of them, a regular expression (RE2, at most 20 of at most 1,000 bytes), matches a part of it, or none. What is not known can be named as a whole, by the name that answers have for it or by an empty text, and has no parts; events without a property pass none of the last four
         * @enum {string}
         */
        readonly ComparisonOperator: "is" | "is_not" | "contains" | "contains_not" | "matches" | "matches_not";
        /** @description Of `event:goal` with `is` and `is_not` each must be the name of a goal */
        readonly FilterValues: readonly string[];
        /** @description Which events count. A filter by a dimension of visits looks at the visit that the event belongs to. Filters may be in filters ten deep */
        readonly Filter: readonly [
            components["schemas"]["ComparisonOperator"],
            components["schemas"]["FilterDimension"],
            components["schemas"]["FilterValues"]
        ] | readonly [
            components["schemas"]["ComparisonOperator"],
            components["schemas"]["FilterDimension"],
            components["schemas"]["FilterValues"],
            {
                /**
                 * @description Whether upper and lower case differ
                 * @default true
                 */
                readonly case_sensitive?: boolean;
            }
        ] | readonly [
            "is" | "is_not",
            "segment",
            readonly (string | number)[]
        ] | readonly [
            "and" | "or",
            readonly components["schemas"]["Filter"][]
        ] | readonly [
            "not" | "has_done" | "has_not_done",
            components["schemas"]["Filter"]
        ];
        /** @description All of them must hold. At most 100, those in others counted */
        readonly Filters: readonly components["schemas"]["Filter"][];
        /**
         * Format: date
         * @description A local day of the site, such as `2026-03-01`
         */
        readonly Day: string;
        /**
         * Format: date-time
         * @description RFC 3339, such as `2026-03-01T12:00:00+01:00`
         */
        readonly Instant: string;
        /** @description So many days before today, such as `7d`, 5000 at most */
        readonly LastDays: `${number}d`;
        /** @description So many months before this one, such as `12mo`, 100 at most */
        readonly LastMonths: `${number}mo`;
        /** @description The range of time that a question is about */
        readonly DateRange: ("day" | "24h" | "month" | "year" | "all") | components["schemas"]["LastDays"] | components["schemas"]["LastMonths"] | components["schemas"]["Days"] | readonly [
            components["schemas"]["Instant"],
            components["schemas"]["Instant"]
        ];
        /** @description The first and the last day */
        readonly Days: readonly [
            components["schemas"]["Day"],
            components["schemas"]["Day"]
        ];
        /** @description The first and the last second, local to the site */
        readonly Span: readonly [
            components["schemas"]["Instant"],
            components["schemas"]["Instant"]
        ];
        /** @description What rows are ordered by, metrics and dimensions of the question. If it is left out or empty: by time, then by the first metric, the greatest first */
        readonly OrderBy: readonly (readonly [
            components["schemas"]["Metric"] | components["schemas"]["Dimension"],
            "asc" | "desc"
        ])[];
        /** @description The range with which each row is compared */
        readonly Comparisons: {
            /**
             * @description As long and just before, or the same dates a year before
             * @enum {unknown}
             */
            readonly mode: "previous_period" | "year_over_year";
            readonly match_day_of_week?: components["schemas"]["MatchDayOfWeek"];
        } | {
            /** @constant */
            readonly mode: "custom";
            readonly date_range: components["schemas"]["Days"];
            readonly match_day_of_week?: components["schemas"]["MatchDayOfWeek"];
        };
        /**
         * @description Move the other range, by three days at most or back by six, so that it begins on the same day of the week
         * @default false
         */
        readonly MatchDayOfWeek: boolean;
        /** @description What the answer tells besides its rows */
        readonly Include: {
            /**
             * @description List all periods of the range, 10,000 at most: rows leave out those without events. It needs a time dimension
             * @default false
             */
            readonly time_labels?: boolean;
            /**
             * @description Tell how many rows there are without pagination
             * @default false
             */
            readonly total_rows?: boolean;
            /**
             * @description For Plausible's clients: tell that nothing is imported
             * @default false
             */
            readonly imports?: boolean;
            /**
             * @description Tell what was noted of the days of the range
             * @default false
             */
            readonly annotations?: boolean;
            readonly comparisons?: components["schemas"]["Comparisons"];
        };
        /** @description Which of the rows are answered */
        readonly Pagination: {
            /** @default 10000 */
            readonly limit?: number;
            /**
             * @description How many rows are passed over
             * @default 0
             */
            readonly offset?: number;
        };
        readonly Question: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly metrics: readonly components["schemas"]["Metric"][];
            readonly date_range: components["schemas"]["DateRange"];
            /** @description What rows are of, one of time at most. Without any there is one row */
            readonly dimensions?: readonly components["schemas"]["Dimension"][];
            readonly filters?: components["schemas"]["Filters"];
            readonly order_by?: components["schemas"]["OrderBy"];
            readonly include?: components["schemas"]["Include"];
            readonly pagination?: components["schemas"]["Pagination"];
        };
        readonly Money: {
            /** @description An exact decimal, to four places at most */
            readonly value: number;
            readonly currency: components["schemas"]["Currency"];
            /** @description For people, such as `12.5 EUR` */
            readonly short: string;
            /** @description The same */
            readonly long: string;
        };
        /** @description ISO 4217 */
        readonly Currency: string;
        /** @description Of a metric. Null says that there is none */
        readonly Value: number | null | components["schemas"]["Money"];
        /** @description When a period begins, local to the site: `2026-03-01`, or of hours and minutes `2026-03-01 10:00:00` */
        readonly Label: string;
        readonly Row: {
            /** @description In the order of the question's metrics */
            readonly metrics: readonly components["schemas"]["Value"][];
            /** @description In the order of the question's dimensions */
            readonly dimensions: readonly string[];
            readonly comparison?: components["schemas"]["Compared"];
        };
        /** @description The numbers of the other range. Left out if it has no period at the same place */
        readonly Compared: {
            readonly metrics: readonly components["schemas"]["Value"][];
            /** @description By how many percent each metric grew, whole, 100 when it was 0; of percentages the difference in points, to one decimal; null when there is nothing to compare */
            readonly change: readonly (number | null)[];
            /** @description Those of the row, with the period at the same place in the other range */
            readonly dimensions: readonly string[];
        };
        readonly Warning: {
            /** @constant */
            readonly code: "no_single_revenue_currency";
            readonly warning: string;
        };
        /** @description What the question included */
        readonly Meta: {
            readonly time_labels?: readonly components["schemas"]["Label"][];
            readonly comparison_time_labels?: readonly components["schemas"]["Label"][];
            readonly total_rows?: number;
            /** @constant */
            readonly imports_included?: false;
            /** @description What was noted of the days of the range, in their order */
            readonly annotations?: readonly {
                /** Format: date */
                readonly day: string;
                readonly text: string;
            }[];
            /** @description Why a metric has no value where it could have one */
            readonly metric_warnings?: {
                readonly total_revenue?: components["schemas"]["Warning"];
                readonly average_revenue?: components["schemas"]["Warning"];
            };
        };
        /** @description The question as it was understood */
        readonly ResolvedQuestion: {
            /** @description The site's domain */
            readonly site_id: string;
            readonly metrics: readonly components["schemas"]["Metric"][];
            readonly date_range: components["schemas"]["Span"];
            readonly comparison_date_range?: components["schemas"]["Span"];
            /** @description In the place of `time` the one that was chosen */
            readonly dimensions: readonly components["schemas"]["Dimension"][];
            readonly filters: components["schemas"]["Filters"];
            readonly order_by: components["schemas"]["OrderBy"];
            readonly include: {
                readonly time_labels: boolean;
                readonly total_rows: boolean;
                readonly imports: boolean;
                /** @constant */
                readonly annotations?: true;
                readonly comparisons?: components["schemas"]["Comparisons"];
            };
            readonly pagination: {
                readonly limit: number;
                readonly offset: number;
            };
        };
        readonly Answer: {
            readonly results: readonly components["schemas"]["Row"][];
            readonly meta: components["schemas"]["Meta"];
            readonly query: components["schemas"]["ResolvedQuestion"];
        };
        readonly Step: {
            /** @description `Step 1` and so on if it is left out */
            readonly name?: string;
            /** @description An event that matches all of them is the step */
            readonly filters: readonly components["schemas"]["Filter"][];
        };
        /** @description Tell it for each value that the first event of the best try has, too */
        readonly Breakdown: components["schemas"]["EventDimension"] | components["schemas"]["PropertyDimension"] | components["schemas"]["VisitDimension"];
        /**
         * @description Of how many values of the breakdown, those with most visitors
         * @default 10
         */
        readonly BreakdownLimit: number;
        /** @description `filters` are those that every event of the funnel must match */
        readonly FunnelQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            readonly steps: readonly components["schemas"]["Step"][];
            /**
             * @description One step after the other, whatever else happens in between; the same, and nothing else happens in between; all of them, in whatever order
             * @default sequential
             * @enum {string}
             */
            readonly order?: "sequential" | "strict" | "any";
            /**
             * @description Seconds from the first step within which the others must be
             * @default 86400
             */
            readonly window?: number;
            readonly breakdown?: components["schemas"]["Breakdown"];
            readonly limit?: components["schemas"]["BreakdownLimit"];
        } | {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @description Its name */
            readonly funnel: string;
            readonly breakdown?: components["schemas"]["Breakdown"];
            readonly limit?: components["schemas"]["BreakdownLimit"];
        };
        /** @description How many visitors reached a step */
        readonly Reached: {
            readonly name: string;
            readonly visitors: number;
            /** @description How many reached the step before, and not this one */
            readonly drop_off: number;
            /** @description Percent of those of the step before, to two decimals; of the first step 100, or 0 when there is nobody */
            readonly conversion_rate: number;
            /** @description Percent of those of the first step, to two decimals */
            readonly total_conversion_rate: number;
            /** @description From the step before, the median of whole seconds; null of the first step and of nobody */
            readonly median_seconds: number | null;
        };
        readonly FunnelAnswer: {
            readonly steps: readonly components["schemas"]["Reached"][];
            /** @description When the question asks for one, most visitors first */
            readonly breakdown?: readonly {
                readonly value: string;
                readonly steps: readonly components["schemas"]["Reached"][];
            }[];
            readonly date_range: components["schemas"]["Span"];
        };
        /**
         * @description How long the periods are, 100 of them at most for retention
         * @default week
         * @enum {string}
         */
        readonly Interval: "day" | "week" | "month";
        /** @description `date_range` must be of whole days */
        readonly CohortsQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /**
             * @default acquisition
             * @constant
             */
            readonly kind?: "acquisition";
            readonly interval?: components["schemas"]["Interval"];
            /** @description Of the visitor's first visit of the day. Without it there is one cohort for each period */
            readonly by?: components["schemas"]["VisitDimension"];
            /** @description What visitors may have done on their day */
            readonly did?: readonly components["schemas"]["Step"][];
            /**
             * @description How many values of each period, those with most visitors
             * @default 10
             */
            readonly limit?: number;
        } | {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /**
             * @description Who came back in just a period, or in it or a later one
             * @enum {unknown}
             */
            readonly kind: "retention" | "return";
            readonly interval?: components["schemas"]["Interval"];
            /** @description The first event that matches them puts a subject into the cohort of its period; any event without */
            readonly first?: components["schemas"]["Filters"];
            /** @description Which events say that a subject came back; any without */
            readonly again?: components["schemas"]["Filters"];
        };
        readonly Share: {
            /** @description Of the step */
            readonly name?: string;
            readonly visitors: number;
            /** @description Of the cohort, to two decimals */
            readonly percentage: number;
        };
        readonly Cohort: {
            /** @description Its first day */
            readonly period: components["schemas"]["Day"];
            /** @description Of the dimension `by` */
            readonly value?: string;
            /** @description Or, of retention, subjects */
            readonly visitors: number;
            /** @description Of acquisition, in the order of the question */
            readonly did?: readonly components["schemas"]["Share"][];
            /** @description Of retention, after 0, 1, 2 … periods, as far as the range goes */
            readonly returned?: readonly components["schemas"]["Share"][];
        };
        readonly CohortsAnswer: {
            /** @description By period, then those with most visitors first */
            readonly cohorts: readonly components["schemas"]["Cohort"][];
            readonly date_range: components["schemas"]["Span"];
        };
        /** @description Either `from` or `to`. `filters` say which events are looked at */
        readonly JourneysQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @description The event from which the ways go on: the visit's first one that matches; its very first one when the list is empty, or left out and `to`, too */
            readonly from?: components["schemas"]["Filters"];
            /** @description The event to which the ways go: the visit's last one that matches; its very last one when the list is empty */
            readonly to?: components["schemas"]["Filters"];
            /**
             * @description How many steps after, or before, that of the event
             * @default 3
             */
            readonly depth?: number;
            /**
             * @description How many nodes of a step, the most frequent; the others are one
             * @default 10
             */
            readonly breadth?: number;
        };
        /** @description Something that visits did at a step */
        readonly Node: {
            /** @description 0 is that of the event; before it they are negative */
            readonly step: number;
            /**
             * @description `others` are all that are not among the most frequent of their step
             * @enum {string}
             */
            readonly kind: "page" | "event" | "others";
            /** @description The page, or the name of the event */
            readonly name: string;
            readonly visits: number;
        };
        /** @description How many visits went from a node to one of the next step, both as places in `nodes`, from 0 */
        readonly Link: {
            readonly source: number;
            readonly target: number;
            readonly visits: number;
        };
        readonly JourneysAnswer: {
            /** @description Those that have the event */
            readonly visits: number;
            /** @description By step, the most frequent first, others last */
            readonly nodes: readonly components["schemas"]["Node"][];
            /** @description By step, the most frequent first */
            readonly links: readonly components["schemas"]["Link"][];
            readonly date_range: components["schemas"]["Span"];
        };
        readonly VisitsQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @default 50 */
            readonly limit?: number;
            /** @description `next` of an answer before, for the page after it */
            readonly cursor?: components["schemas"]["VisitID"];
        };
        /** @description Names a visit of a site. It tells nothing of who the visitor is */
        readonly VisitID: string;
        /** @description What is not known of it is an empty text */
        readonly Visit: {
            readonly id: components["schemas"]["VisitID"];
            /** @description The same in all visits of one visitor on one day */
            readonly visitor: string;
            readonly started_at: components["schemas"]["Instant"];
            /** @description Seconds from the first to the last event */
            readonly duration: number;
            /** @description Seconds for which a page was visible and had the focus */
            readonly engaged: number;
            readonly pageviews: number;
            readonly events: number;
            /** @description It has a single event, but for passive ones */
            readonly bounce: boolean;
            readonly entry_page: string;
            readonly exit_page: string;
            readonly hostname: string;
            readonly referrer: string;
            /** @description Empty when it is direct */
            readonly source: string;
            readonly channel: string;
            readonly utm_source: string;
            readonly utm_medium: string;
            readonly utm_campaign: string;
            readonly utm_term: string;
            readonly utm_content: string;
            /** @description ISO 3166, two letters */
            readonly country: string;
            readonly region: string;
            readonly city: string;
            readonly browser: string;
            readonly browser_version: string;
            readonly os: string;
            readonly os_version: string;
            readonly device: string;
            readonly language: string;
            readonly screen: string;
            /** @description What its events were worth, by currency; left out when none has an amount */
            readonly revenue?: {
                readonly [key: string]: number;
            };
        };
        readonly VisitsAnswer: {
            readonly visits: readonly components["schemas"]["Visit"][];
            /** @description The cursor of the next page; left out after the last */
            readonly next?: components["schemas"]["VisitID"];
            readonly date_range: components["schemas"]["Span"];
        };
        /** @description An event of a visit. What it does not have is left out */
        readonly Moment: {
            readonly time: components["schemas"]["Instant"];
            /**
             * @description An engagement says for how long a page was looked at, and does not count as an event
             * @enum {string}
             */
            readonly type: "view" | "click" | "conversion" | "funnel_step" | "engagement";
            readonly name?: string;
            readonly hostname?: string;
            readonly page?: string;
            readonly title?: string;
            /** @description The label of the page's version */
            readonly tag?: string;
            readonly props?: {
                readonly [key: string]: string;
            };
            /** @description What it was worth */
            readonly amount?: number;
            readonly currency?: components["schemas"]["Currency"];
            /** @description Seconds for which the page was visible and had the focus */
            readonly engaged?: number;
            /** @description How far the page was scrolled, in percent */
            readonly scroll?: number;
        };
        readonly Timeline: {
            readonly visit: components["schemas"]["Visit"];
            /** @description In order, engagements among them */
            readonly events: readonly components["schemas"]["Moment"][];
        };
        readonly LiveCount: {
            readonly value: string;
            readonly visitors: number;
        };
        /** @description Of the last half hour, but for `visitors` */
        readonly Snapshot: {
            /** @description Of the last five minutes */
            readonly visitors: number;
            readonly pageviews: number;
            readonly events: number;
            /** @description All 30 in order, the last one not over */
            readonly minutes: readonly {
                /** @description When it began */
                readonly time: components["schemas"]["Instant"];
                readonly visitors: number;
                readonly pageviews: number;
                readonly events: number;
            }[];
            /** @description Those with most visitors */
            readonly pages: readonly components["schemas"]["LiveCount"][];
            readonly sources: readonly components["schemas"]["LiveCount"][];
            readonly countries: readonly components["schemas"]["LiveCount"][];
        };
        /** @description RFC 9457 */
        readonly Problem: {
            /** Format: uri-reference */
            readonly type: string;
            /** @description The kind of problem in a few words */
            readonly title: string;
            readonly status: number;
            /** @description What is wrong, and what would be right, for people */
            readonly detail?: string;
            /** @description Its stable name, for programs */
            readonly code: string;
            /** @description The path of the value to blame, such as `filters.0.2` */
            readonly field?: string;
            /** @description `field` and `detail` in one, where clients of Plausible's API look for it: at addresses that begin with `/api/` */
            readonly error?: string;
        };
        /** @description All that is stored of the events of a range, in the order of time and id */
        readonly ExportQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @description Events of a piece; all without */
            readonly limit?: number;
            /** @description The `cursor` of the last event that is at hand */
            readonly cursor?: string;
        };
    };
    responses: {
        /** @description The rows, in order */
        readonly Answer: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly "Cache-Control": components["headers"]["Revalidate"];
                readonly Vary: components["headers"]["Vary"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["Answer"];
                readonly "text/csv": string;
                readonly "application/x-ndjson": unknown;
                readonly "application/vnd.apache.parquet": string;
            };
        };
        /** @description How many reached each step */
        readonly FunnelAnswer: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly "Cache-Control": components["headers"]["Revalidate"];
                readonly Vary: components["headers"]["Vary"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["FunnelAnswer"];
                readonly "text/csv": string;
                readonly "application/x-ndjson": unknown;
                readonly "application/vnd.apache.parquet": string;
            };
        };
        /** @description The cohorts */
        readonly CohortsAnswer: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly "Cache-Control": components["headers"]["Revalidate"];
                readonly Vary: components["headers"]["Vary"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["CohortsAnswer"];
                readonly "text/csv": string;
                readonly "application/x-ndjson": unknown;
                readonly "application/vnd.apache.parquet": string;
            };
        };
        /** @description A graph of what visits did, step by step */
        readonly JourneysAnswer: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly "Cache-Control": components["headers"]["Revalidate"];
                readonly Vary: components["headers"]["Vary"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["JourneysAnswer"];
                readonly "text/csv": string;
                readonly "application/x-ndjson": unknown;
                readonly "application/vnd.apache.parquet": string;
            };
        };
        /** @description A page of visits */
        readonly VisitsAnswer: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly "Cache-Control": components["headers"]["Revalidate"];
                readonly Vary: components["headers"]["Vary"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/json": components["schemas"]["VisitsAnswer"];
                readonly "text/csv": string;
                readonly "application/x-ndjson": unknown;
                readonly "application/vnd.apache.parquet": string;
            };
        };
        /** @description The answer that `If-None-Match` names is still right */
        readonly NotModified: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly [name: string]: unknown;
            };
            content?: never;
        };
        /** @description `invalid`: a value is wrong, missing or unknown; `field` names it, `detail` says what would be right. `body_cut`: the body ended early. */
        readonly Invalid: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 400;
                    /** @enum {unknown} */
                    readonly code?: "invalid" | "body_cut";
                };
            };
        };
        /** @description `unauthorized`: it needs a key and none came, or it is not a good one, or no more */
        readonly Unauthorized: {
            headers: {
                readonly "WWW-Authenticate": components["headers"]["Bearer"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 401;
                    /** @constant */
                    readonly code?: "unauthorized";
                };
            };
        };
        /** @description `forbidden`: the key or link is for other sites or other things */
        readonly Forbidden: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 403;
                    /** @constant */
                    readonly code?: "forbidden";
                };
            };
        };
        /** @description `site_unknown`: the installation has no such site. Only who may see all sites is told so. */
        readonly SiteUnknown: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 404;
                    /** @constant */
                    readonly code?: "site_unknown";
                };
            };
        };
        /** @description `body_too_large`: the body has more than 64 KiB */
        readonly TooLarge: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 413;
                    /** @constant */
                    readonly code?: "body_too_large";
                };
            };
        };
        /** @description `unsupported_media_type`: the body is said to be something else than JSON, or compressed */
        readonly NotJSON: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 415;
                    /** @constant */
                    readonly code?: "unsupported_media_type";
                };
            };
        };
        /** @description `query_too_slow`: the answer takes longer than ten seconds to find; ask for a shorter range, fewer dimensions or fewer filters */
        readonly TooSlow: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 422;
                    /** @constant */
                    readonly code?: "query_too_slow";
                };
            };
        };
        /** @description `query_too_slow`: the answer takes longer than ten seconds to find. `query_too_large`: it would need too much memory, for more than a million rows (or steps, or ways) before pagination, or two million subjects. Ask for a shorter range, fewer dimensions or more filters. */
        readonly TooSlowOrLarge: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 422;
                    /** @enum {unknown} */
                    readonly code?: "query_too_slow" | "query_too_large";
                };
            };
        };
        /** @description `rate_limited`: too many questions in a minute. `too_many_attempts`: too many wrong tokens came, from whomever. */
        readonly TooMany: {
            headers: {
                readonly "Retry-After": components["headers"]["RetryAfter"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 429;
                    /** @enum {unknown} */
                    readonly code?: "rate_limited" | "too_many_attempts";
                };
            };
        };
        /** @description `internal`: something went wrong on the server's side, and is in its log */
        readonly Internal: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 500;
                    /** @constant */
                    readonly code?: "internal";
                };
            };
        };
        /** @description `unavailable`: the database can't be reached right now */
        readonly Unavailable: {
            headers: {
                readonly "Retry-After": components["headers"]["RetryAfter"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 503;
                    /** @constant */
                    readonly code?: "unavailable";
                };
            };
        };
        /** @description Nothing that `Accept` names can be answered */
        readonly NotAcceptable: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 406;
                    /** @constant */
                    readonly code?: "not_acceptable";
                };
            };
        };
        /** @description The events. When something fails in the midst the connection is cut. NDJSON has a JSON object for each event, on a line of its own */
        readonly Export: {
            headers: {
                readonly "Cache-Control": components["headers"]["NoStore"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "text/csv": string;
                readonly "application/x-ndjson": unknown;
                readonly "application/vnd.apache.parquet": string;
            };
        };
    };
    parameters: {
        /**
         * @description Domain or public id of a site
         * @example example.com
         */
        readonly Site: components["schemas"]["SiteID"];
        /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
        readonly IfNoneMatch: string;
        /** @description In which form it is answered, whatever `Accept` says */
        readonly Format: "json" | "csv" | "ndjson" | "parquet";
    };
    requestBodies: never;
    headers: {
        /** @description Another answer has another one */
        readonly ETag: string;
        /** @description No cache may keep it */
        readonly NoStore: "no-store";
        /** @description Only the asker's own cache may keep it, and must ask each time whether it is still right */
        readonly Revalidate: "private, no-cache";
        readonly Vary: "Accept, Authorization, Cookie";
        /** @description In how many seconds it is worth trying again */
        readonly RetryAfter: number;
        /** @description How to come with a secret */
        readonly Bearer: string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly queryByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question, as JSON */
                readonly query: string;
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
                readonly "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: components["responses"]["Answer"];
            readonly 304: components["responses"]["NotModified"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly query: {
        readonly parameters: {
            readonly query?: {
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["Question"];
            };
        };
        readonly responses: {
            readonly 200: components["responses"]["Answer"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly funnelByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question, as JSON */
                readonly query: string;
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
                readonly "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: components["responses"]["FunnelAnswer"];
            readonly 304: components["responses"]["NotModified"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly funnel: {
        readonly parameters: {
            readonly query?: {
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["FunnelQuestion"];
            };
        };
        readonly responses: {
            readonly 200: components["responses"]["FunnelAnswer"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly cohortsByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question, as JSON */
                readonly query: string;
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
                readonly "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: components["responses"]["CohortsAnswer"];
            readonly 304: components["responses"]["NotModified"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly cohorts: {
        readonly parameters: {
            readonly query?: {
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["CohortsQuestion"];
            };
        };
        readonly responses: {
            readonly 200: components["responses"]["CohortsAnswer"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly journeysByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question, as JSON */
                readonly query: string;
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
                readonly "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: components["responses"]["JourneysAnswer"];
            readonly 304: components["responses"]["NotModified"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly journeys: {
        readonly parameters: {
            readonly query?: {
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["JourneysQuestion"];
            };
        };
        readonly responses: {
            readonly 200: components["responses"]["JourneysAnswer"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly visitsByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question, as JSON */
                readonly query: string;
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
                readonly "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: components["responses"]["VisitsAnswer"];
            readonly 304: components["responses"]["NotModified"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly visits: {
        readonly parameters: {
            readonly query?: {
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["VisitsQuestion"];
            };
        };
        readonly responses: {
            readonly 200: components["responses"]["VisitsAnswer"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly visit: {
        readonly parameters: {
            readonly query: {
                /**
                 * @description Domain or public id of a site
                 * @example example.com
                 */
                readonly site_id: components["parameters"]["Site"];
            };
            readonly header?: never;
            readonly path: {
                /**
                 * @description The id of a visit, as `/v1/visits` lists it
                 * @example AAZMBs_LhAAAAAAAAAAAAQ
                 */
                readonly id: components["schemas"]["VisitID"];
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The visit and its events */
            readonly 200: {
                headers: {
                    readonly "Cache-Control": components["headers"]["NoStore"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Timeline"];
                };
            };
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            /** @description `site_unknown`: the installation has no such site. `not_found`: the site has no such visit, or it has other events by now; list them again. */
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/problem+json": components["schemas"]["Problem"] & {
                        /** @constant */
                        readonly status?: 404;
                        /** @enum {unknown} */
                        readonly code?: "site_unknown" | "not_found";
                    };
                };
            };
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly exportEventsByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question, as JSON */
                readonly query: string;
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: components["responses"]["Export"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly exportEvents: {
        readonly parameters: {
            readonly query?: {
                /** @description In which form it is answered, whatever `Accept` says */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody: {
            readonly content: {
                readonly "application/json": components["schemas"]["ExportQuestion"];
            };
        };
        readonly responses: {
            readonly 200: components["responses"]["Export"];
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 406: components["responses"]["NotAcceptable"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly realtime: {
        readonly parameters: {
            readonly query: {
                /**
                 * @description Domain or public id of a site
                 * @example example.com
                 */
                readonly site_id: components["parameters"]["Site"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description What happened in the last half hour */
            readonly 200: {
                headers: {
                    readonly "Cache-Control": components["headers"]["NoStore"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Snapshot"];
                };
            };
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly present: {
        readonly parameters: {
            readonly query: {
                /**
                 * @description Domain or public id of a site
                 * @example example.com
                 */
                readonly site_id: components["parameters"]["Site"];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description The number */
            readonly 200: {
                headers: {
                    readonly "Cache-Control": components["headers"]["NoStore"];
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": number;
                };
            };
            readonly 400: components["responses"]["Invalid"];
            readonly 401: components["responses"]["Unauthorized"];
            readonly 403: components["responses"]["Forbidden"];
            readonly 404: components["responses"]["SiteUnknown"];
            readonly 422: components["responses"]["TooSlow"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly document: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description The `ETag` of an answer that is at hand: if it is still right, the answer is 304 */
                readonly "If-None-Match"?: components["parameters"]["IfNoneMatch"];
            };
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            /** @description An OpenAPI 3.1 document */
            readonly 200: {
                headers: {
                    readonly ETag: components["headers"]["ETag"];
                    /** @description Anyone may keep it for some minutes */
                    readonly "Cache-Control": "public, max-age=300";
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": {
                        /** @constant */
                        readonly openapi: "3.1.0";
                    } & {
                        readonly [key: string]: unknown;
                    };
                };
            };
            readonly 304: components["responses"]["NotModified"];
        };
    };
}
