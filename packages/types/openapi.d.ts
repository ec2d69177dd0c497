/* Generated from functions/query/openapi.json by generate.js. */

export interface paths {
    readonly "/api/v2/query": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Trends and breakdowns, by GET
         * @description The same as POST, for caches and links.
         */
        readonly get: operations["queryByAddress"];
        readonly put?: never;
        /**
         * Trends and breakdowns
         * @description Returns metrics of the events in the range that match all filters, in total or for each value of the dimensions.
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
         * Funnels, by GET
         * @description The same as POST, for caches and links.
         */
        readonly get: operations["funnelByAddress"];
        readonly put?: never;
        /**
         * Funnels: how many visitors reach each of several steps
         * @description A funnel is about one visitor on one day. A visitor reaches a step with an event that matches it, after the event of the step before and within the window from the first step. A visitor who tries several times counts once, with the best try.
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
         * Cohorts, by GET
         * @description The same as POST, for caches and links.
         */
        readonly get: operations["cohortsByAddress"];
        readonly put?: never;
        /**
         * Cohorts: what groups of visitors did, or when they came back
         * @description Acquisition cohorts group visitors on one day by their origin, and count how many of them did something. Retention cohorts group subjects, the references that sites send for people who have agreed, and count how many came back.
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
         * Journeys, by GET
         * @description The same as POST, for caches and links.
         */
        readonly get: operations["journeysByAddress"];
        readonly put?: never;
        /**
         * Journeys: the paths of visits after or before an event
         * @description A visit is followed from its first event that matches `from`, or back from its last event that matches `to`, through the pages that it views and the names of its other events. The same page or name several times in a row counts once. The answer is a graph, as in a Sankey diagram.
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
         * Single visits, by GET
         * @description The same as POST, for caches and links. It needs the owner's token or a key: share links and public sites don't show single visits.
         */
        readonly get: operations["visitsByAddress"];
        readonly put?: never;
        /**
         * Single visits
         * @description Returns the visits with an event in the range that matches all filters, the latest first. It needs the owner's token or a key: share links and public sites don't show single visits.
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
         * The events of a visit
         * @description Returns the visit and its events in order. It needs the owner's token or a key: share links and public sites don't show single visits.
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
         * All stored data of events, by GET
         * @description The default form is NDJSON; `format` or `Accept` choose another. An export may take 15 minutes. Each row has a `cursor` to continue after it. It needs the owner's token or a key: share links and public sites don't show single visits.
         */
        readonly get: operations["exportEventsByAddress"];
        readonly put?: never;
        /**
         * All stored data of events, as a file
         * @description The default form is NDJSON; `format` or `Accept` choose another. An export may take 15 minutes. Each row has a `cursor` to continue after it. It needs the owner's token or a key: share links and public sites don't show single visits.
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
         * @description Contains the events that are stored: events are stored within a minute. For live numbers, use the function `websocket-bridge`.
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
         * @description The number of visitors in the last five minutes, at the address of Plausible's Stats API v1.
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
         * @description No key is needed.
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
         * @description A number to compute from the events of a row:
         *
         *     - `visitors`: visitors, each counted once a day
         *     - `visits`: visits with one of the events, in the period in which they began
         *     - `pageviews`: page views
         *     - `events`: all events
         *     - `bounce_rate`: percentage of visits with a single event; whole, 0 to 100
         *     - `visit_duration`: mean seconds from the first to the last event of a visit; whole
         *     - `views_per_visit`: page views per visit, to two decimals
         *     - `scroll_depth`: how far visits scrolled a page at most, as a mean in percent; whole, 1 to 100; null if none was measured. It needs the dimension `event:page` or a filter by it
         *     - `time_on_page`: mean seconds that a page was visible and had the focus in a visit; whole; null if none was measured. It needs the dimension `event:page` or a filter by it
         *     - `percentage`: the row's share of all visitors in percent, to two decimals. It needs a dimension
         *     - `conversion_rate`: percentage of visitors who reached the goal, to two decimals; of the visitors that the question has without its dimensions, its goals and its filters by properties. It needs the dimension `event:goal`, or a filter by it that is not inside another
         *     - `group_conversion_rate`: percentage of visitors who reached the goal, to two decimals; of the visitors that the row has without the goals and the filters by properties. It needs the same as `conversion_rate`
         *     - `total_revenue`, `average_revenue`: the sum of the amounts of the events, and their mean; null if there are none, or in several currencies
         *     - `revenue_by_currency`: the sums of the amounts by currency; null if there are none. It does not order rows
         * @enum {string}
         */
        readonly Metric: "visitors" | "visits" | "pageviews" | "events" | "bounce_rate" | "visit_duration" | "views_per_visit" | "scroll_depth" | "time_on_page" | "percentage" | "conversion_rate" | "group_conversion_rate" | "total_revenue" | "average_revenue" | "revenue_by_currency";
        /**
         * @description Local periods of the site. Weeks begin on Monday; the first one begins with the range. The range selects the period of `time`: hours up to 2 days, days up to 41, weeks up to 53 weeks, else months
         * @enum {string}
         */
        readonly TimeDimension: "time" | "time:minute" | "time:hour" | "time:day" | "time:week" | "time:month";
        /**
         * @description The names of the site's goals. An event that reaches several goals counts for each
         * @constant
         */
        readonly GoalDimension: "event:goal";
        /**
         * @description Dimensions in which events of one visit can differ: the path of the page, the name of an event, the host, the label of the page's version, the currency of an amount (ISO 4217)
         * @enum {string}
         */
        readonly EventDimension: "event:page" | "event:name" | "event:hostname" | "event:tag" | "event:currency";
        /** @description A property of events, `event:props:KEY`, with a key of at most 300 bytes. Events without it have the value `(none)` */
        readonly PropertyDimension: `event:props:${string}`;
        /**
         * @description Dimensions that all events of a visit share. `visit:country` is an ISO 3166 code of two letters. An unknown value is `Direct / None` for `visit:source` and `visit:referrer`, `(not set)` for browsers, systems, devices and `utm_`, and an empty text for all others. Visits without a page, a region or a city have no row for these dimensions
         * @enum {string}
         */
        readonly VisitDimension: "visit:entry_page" | "visit:exit_page" | "visit:entry_page_hostname" | "visit:exit_page_hostname" | "visit:referrer" | "visit:source" | "visit:channel" | "visit:utm_source" | "visit:utm_medium" | "visit:utm_campaign" | "visit:utm_term" | "visit:utm_content" | "visit:country" | "visit:country_name" | "visit:region" | "visit:region_name" | "visit:city" | "visit:city_name" | "visit:browser" | "visit:browser_version" | "visit:os" | "visit:os_version" | "visit:device" | "visit:language" | "visit:screen";
        /** @description A dimension to group by */
        readonly Dimension: components["schemas"]["TimeDimension"] | components["schemas"]["GoalDimension"] | components["schemas"]["EventDimension"] | components["schemas"]["PropertyDimension"] | components["schemas"]["VisitDimension"];
        /** @description A dimension to filter by */
        readonly FilterDimension: components["schemas"]["GoalDimension"] | components["schemas"]["EventDimension"] | components["schemas"]["PropertyDimension"] | components["schemas"]["VisitDimension"];
        /**
         * @description `is` and `is_not`: equals one, or none of the values. `contains` and `contains_not`: contains one, or none of the values, which are not empty. `matches` and `matches_not`: a part matches one, or none of the values, which are regular expressions (RE2, at most 20 of at most 1,000 bytes; all of a question together have at most 2,000 steps, and `x{100}` has 100). The name of an unknown value, or an empty text, matches only as a whole. The last four skip events without the property
         * @enum {string}
         */
        readonly ComparisonOperator: "is" | "is_not" | "contains" | "contains_not" | "matches" | "matches_not";
        /** @description For `event:goal` with `is` and `is_not`, each must be the name of a goal */
        readonly FilterValues: readonly string[];
        /** @description Selects events. A filter by a dimension of visits is about the visit of the event. Filters may be nested ten deep */
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
        /** @description All of them must match. At most 100, including nested ones */
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
        /** @description A number of days before today, such as `7d`, at most 5000 */
        readonly LastDays: `${number}d`;
        /** @description A number of months before this one, such as `12mo`, at most 100 */
        readonly LastMonths: `${number}mo`;
        /** @description The time range of a question */
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
        /** @description Sorts the rows by metrics and dimensions of the question, each at most once. Default: by time, then by the first metric, the largest first */
        readonly OrderBy: readonly (readonly [
            components["schemas"]["Metric"] | components["schemas"]["Dimension"],
            "asc" | "desc"
        ])[];
        /** @description The range to compare each row with. If the range of the question is not over, as much of the other one counts as has elapsed: as many whole days, and the next one up to the same local minute. `comparison_date_range` says what was compared */
        readonly Comparisons: {
            /**
             * @description The range of the same length just before (for `month`, `year` and a number of months, as many months before), or the same dates a year earlier
             * @enum {unknown}
             */
            readonly mode: "previous_period" | "year_over_year";
            readonly match_day_of_week?: components["schemas"]["MatchDayOfWeek"];
            readonly whole?: components["schemas"]["WholeComparison"];
        } | {
            /** @constant */
            readonly mode: "custom";
            readonly date_range: components["schemas"]["Days"];
            readonly match_day_of_week?: components["schemas"]["MatchDayOfWeek"];
            readonly whole?: components["schemas"]["WholeComparison"];
        };
        /**
         * @description Compare with the whole of the other range, even if the range of the question is not over
         * @default false
         */
        readonly WholeComparison: boolean;
        /**
         * @description Move the other range so that it begins on the same day of the week, by at most three days, or back by at most six
         * @default false
         */
        readonly MatchDayOfWeek: boolean;
        /** @description What the answer contains besides its rows */
        readonly Include: {
            /**
             * @description List all periods of the range, at most 10,000, since rows leave out those without events. It needs a time dimension
             * @default false
             */
            readonly time_labels?: boolean;
            /**
             * @description Return the number of rows without pagination
             * @default false
             */
            readonly total_rows?: boolean;
            /**
             * @description For Plausible's clients: report that nothing is imported
             * @default false
             */
            readonly imports?: boolean;
            /**
             * @description List the annotations of the range
             * @default false
             */
            readonly annotations?: boolean;
            readonly comparisons?: components["schemas"]["Comparisons"];
        };
        /** @description The rows to return */
        readonly Pagination: {
            /** @default 10000 */
            readonly limit?: number;
            /**
             * @description The number of rows to skip
             * @default 0
             */
            readonly offset?: number;
        };
        readonly Question: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly metrics: readonly components["schemas"]["Metric"][];
            readonly date_range: components["schemas"]["DateRange"];
            /** @description What rows are grouped by; at most one dimension of time. Without any, there is one row */
            readonly dimensions?: readonly components["schemas"]["Dimension"][];
            readonly filters?: components["schemas"]["Filters"];
            readonly order_by?: components["schemas"]["OrderBy"];
            readonly include?: components["schemas"]["Include"];
            readonly pagination?: components["schemas"]["Pagination"];
        };
        readonly Money: {
            /** @description An exact decimal with at most four places */
            readonly value: number;
            readonly currency: components["schemas"]["Currency"];
            /** @description For display, such as `12.5 EUR` */
            readonly short: string;
            /** @description The same as `short` */
            readonly long: string;
        };
        /** @description Sums by currency (ISO 4217), such as `{"EUR": 12.5, "USD": 3}` */
        readonly Amounts: {
            readonly [key: string]: number;
        };
        /** @description ISO 4217 */
        readonly Currency: string;
        /** @description The value of a metric; null if there is none */
        readonly Value: number | null | components["schemas"]["Money"] | components["schemas"]["Amounts"];
        /** @description The start of a period, local to the site: `2026-03-01`, or for hours and minutes `2026-03-01 10:00:00`. Those that clocks show twice have the offset too: `2026-10-25 02:00:00+02:00` */
        readonly Label: string;
        readonly Row: {
            /** @description In the order of the question's metrics */
            readonly metrics: readonly components["schemas"]["Value"][];
            /** @description In the order of the question's dimensions */
            readonly dimensions: readonly string[];
            readonly comparison?: components["schemas"]["Compared"];
        };
        /** @description The numbers of the other range. Missing if it has no period at the same position */
        readonly Compared: {
            readonly metrics: readonly components["schemas"]["Value"][];
            /** @description By how many percent each metric grew; whole; 100 if it was 0. For percentages, the difference in percentage points, to one decimal. Null if there is nothing to compare */
            readonly change: readonly (number | null)[];
            /** @description Those of the row, with the period at the same position in the other range */
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
            /** @description The annotations of the range, by day */
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
        /** @description The question as the server understood it */
        readonly ResolvedQuestion: {
            /** @description The site's domain */
            readonly site_id: string;
            readonly metrics: readonly components["schemas"]["Metric"][];
            readonly date_range: components["schemas"]["Span"];
            readonly comparison_date_range?: components["schemas"]["Span"];
            /** @description Instead of `time`, the period that was selected */
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
            /** @description Default: `Step 1` and so on */
            readonly name?: string;
            /** @description An event that matches all of them reaches the step */
            readonly filters: readonly components["schemas"]["Filter"][];
        };
        /** @description Also split the funnel by a value: that of the first event of the best try */
        readonly Breakdown: components["schemas"]["EventDimension"] | components["schemas"]["PropertyDimension"] | components["schemas"]["VisitDimension"];
        /**
         * @description The number of values of the breakdown, those with most visitors
         * @default 10
         */
        readonly BreakdownLimit: number;
        /** @description `filters` select the events of the funnel */
        readonly FunnelQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            readonly steps: readonly components["schemas"]["Step"][];
            /**
             * @description `sequential`: in order, with any events in between. `strict`: in order, with no events in between. `any`: in any order
             * @default sequential
             * @enum {string}
             */
            readonly order?: "sequential" | "strict" | "any";
            /**
             * @description Seconds from the first step within which the others must happen
             * @default 86400
             */
            readonly window?: number;
            readonly breakdown?: components["schemas"]["Breakdown"];
            readonly limit?: components["schemas"]["BreakdownLimit"];
        } | {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @description The name of the funnel */
            readonly funnel: string;
            readonly breakdown?: components["schemas"]["Breakdown"];
            readonly limit?: components["schemas"]["BreakdownLimit"];
        };
        /** @description The visitors who reached a step */
        readonly Reached: {
            readonly name: string;
            readonly visitors: number;
            /** @description How many reached the step before, but not this one */
            readonly drop_off: number;
            /** @description Percentage of the visitors of the step before, to two decimals; for the first step 100, or 0 if there are none */
            readonly conversion_rate: number;
            /** @description Percentage of the visitors of the first step, to two decimals */
            readonly total_conversion_rate: number;
            /** @description Median of the whole seconds since the step before; null for the first step, and if there are no visitors */
            readonly median_seconds: number | null;
        };
        readonly FunnelAnswer: {
            readonly steps: readonly components["schemas"]["Reached"][];
            /** @description If the question asks for one; the values with most visitors first */
            readonly breakdown?: readonly {
                readonly value: string;
                readonly steps: readonly components["schemas"]["Reached"][];
            }[];
            readonly date_range: components["schemas"]["Span"];
        };
        /**
         * @description The length of the periods; for retention, at most 100 of them
         * @default week
         * @enum {string}
         */
        readonly Interval: "day" | "week" | "month";
        /** @description `date_range` must consist of whole days */
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
            /** @description A dimension of the visitor's first visit of the day. Without it, there is one cohort per period */
            readonly by?: components["schemas"]["VisitDimension"];
            /** @description What visitors may have done on that day */
            readonly did?: readonly components["schemas"]["Step"][];
            /**
             * @description The number of values per period, those with most visitors
             * @default 10
             */
            readonly limit?: number;
        } | {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /**
             * @description `retention`: subjects who came back in exactly this period. `return`: in this or a later one
             * @enum {unknown}
             */
            readonly kind: "retention" | "return";
            readonly interval?: components["schemas"]["Interval"];
            /** @description The first event that matches puts a subject into the cohort of its period. Default: any event */
            readonly first?: components["schemas"]["Filters"];
            /** @description An event that matches means that a subject came back. Default: any event */
            readonly again?: components["schemas"]["Filters"];
        };
        readonly Share: {
            /** @description The name of the step */
            readonly name?: string;
            readonly visitors: number;
            /** @description Percentage of the cohort, to two decimals */
            readonly percentage: number;
        };
        readonly Cohort: {
            /** @description The first day of the period */
            readonly period: components["schemas"]["Day"];
            /** @description The value of the dimension `by` */
            readonly value?: string;
            /** @description Visitors; for retention, subjects */
            readonly visitors: number;
            /** @description For acquisition, in the order of the question */
            readonly did?: readonly components["schemas"]["Share"][];
            /** @description For retention, after 0, 1, 2 … periods, to the end of the range */
            readonly returned?: readonly components["schemas"]["Share"][];
        };
        readonly CohortsAnswer: {
            /** @description By period, then those with most visitors first */
            readonly cohorts: readonly components["schemas"]["Cohort"][];
            readonly date_range: components["schemas"]["Span"];
        };
        /** @description Either `from` or `to`. `filters` select the events */
        readonly JourneysQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @description The event to begin at: the first of the visit that matches. The visit's very first one if the list is empty, or if both it and `to` are missing */
            readonly from?: components["schemas"]["Filters"];
            /** @description The event to end at: the last of the visit that matches. The visit's very last one if the list is empty */
            readonly to?: components["schemas"]["Filters"];
            /**
             * @description The number of steps after, or before, that of the event
             * @default 3
             */
            readonly depth?: number;
            /**
             * @description The number of nodes per step, the most frequent; the others are combined into one
             * @default 10
             */
            readonly breadth?: number;
        };
        /** @description A page or an event at a step */
        readonly Node: {
            /** @description 0 is the step of the event; steps before it are negative */
            readonly step: number;
            /**
             * @description `others` are all nodes that are not among the most frequent of their step
             * @enum {string}
             */
            readonly kind: "page" | "event" | "others";
            /** @description The page, or the name of the event */
            readonly name: string;
            readonly visits: number;
        };
        /** @description The number of visits that went from a node to one of the next step. Both are indexes into `nodes`, from 0 */
        readonly Link: {
            readonly source: number;
            readonly target: number;
            readonly visits: number;
        };
        readonly JourneysAnswer: {
            /** @description Visits that have the event */
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
            /** @description `next` of the previous answer */
            readonly cursor?: components["schemas"]["VisitID"];
        };
        /** @description Identifies a visit of a site. It reveals nothing about the visitor */
        readonly VisitID: string;
        /** @description Unknown values are empty texts */
        readonly Visit: {
            readonly id: components["schemas"]["VisitID"];
            /** @description The same for all visits of one visitor on one day */
            readonly visitor: string;
            readonly started_at: components["schemas"]["Instant"];
            /** @description Seconds from the first to the last event */
            readonly duration: number;
            /** @description Seconds that a page was visible and had the focus */
            readonly engaged: number;
            readonly pageviews: number;
            readonly events: number;
            /** @description The visit has a single event, not counting passive ones */
            readonly bounce: boolean;
            readonly entry_page: string;
            readonly exit_page: string;
            readonly hostname: string;
            readonly referrer: string;
            /** @description Empty for direct visits */
            readonly source: string;
            readonly channel: string;
            readonly utm_source: string;
            readonly utm_medium: string;
            readonly utm_campaign: string;
            readonly utm_term: string;
            readonly utm_content: string;
            /** @description ISO 3166 code of two letters */
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
            /** @description The sum of the amounts of its events, by currency; missing if none has an amount */
            readonly revenue?: {
                readonly [key: string]: number;
            };
        };
        readonly VisitsAnswer: {
            readonly visits: readonly components["schemas"]["Visit"][];
            /** @description The cursor of the next page; missing on the last */
            readonly next?: components["schemas"]["VisitID"];
            readonly date_range: components["schemas"]["Span"];
        };
        /** @description An event of a visit. Missing values are left out */
        readonly Moment: {
            readonly time: components["schemas"]["Instant"];
            /**
             * @description An engagement says how long a page was visible and had the focus. It doesn't count as an event
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
            /** @description The amount of the event */
            readonly amount?: number;
            readonly currency?: components["schemas"]["Currency"];
            /** @description Seconds that the page was visible and had the focus */
            readonly engaged?: number;
            /** @description How far the page was scrolled, in percent */
            readonly scroll?: number;
        };
        readonly Timeline: {
            readonly visit: components["schemas"]["Visit"];
            /** @description In order, including engagements */
            readonly events: readonly components["schemas"]["Moment"][];
        };
        readonly LiveCount: {
            readonly value: string;
            readonly visitors: number;
        };
        /** @description About the last half hour, except `visitors` */
        readonly Snapshot: {
            /** @description Visitors of the last five minutes */
            readonly visitors: number;
            readonly pageviews: number;
            readonly events: number;
            /** @description All 30 in order; the last one is not over */
            readonly minutes: readonly {
                /** @description When the minute began */
                readonly time: components["schemas"]["Instant"];
                readonly visitors: number;
                readonly pageviews: number;
                readonly events: number;
            }[];
            /** @description The values with most visitors */
            readonly pages: readonly components["schemas"]["LiveCount"][];
            readonly sources: readonly components["schemas"]["LiveCount"][];
            readonly countries: readonly components["schemas"]["LiveCount"][];
        };
        /** @description A problem document (RFC 9457) */
        readonly Problem: {
            /** Format: uri-reference */
            readonly type: string;
            /** @description The kind of problem in a few words */
            readonly title: string;
            readonly status: number;
            /** @description What is wrong and what is right, for people */
            readonly detail?: string;
            /** @description A stable name, for programs */
            readonly code: string;
            /** @description The path of the wrong value, such as `filters.0.2` */
            readonly field?: string;
            /** @description `field` and `detail` in one, for clients of Plausible's API, at addresses that begin with `/api/` */
            readonly error?: string;
        };
        /** @description All stored data of the events of a range, in order of time and id */
        readonly ExportQuestion: {
            readonly site_id: components["schemas"]["SiteID"];
            readonly date_range: components["schemas"]["DateRange"];
            readonly filters?: components["schemas"]["Filters"];
            /** @description The maximum number of events. Default: all */
            readonly limit?: number;
            /** @description The `cursor` of the last event received */
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
        /** @description The number of visitors who reached each step */
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
        /** @description A graph of the steps of visits */
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
        /** @description The answer that `If-None-Match` names is still current */
        readonly NotModified: {
            headers: {
                readonly ETag: components["headers"]["ETag"];
                readonly [name: string]: unknown;
            };
            content?: never;
        };
        /** @description `invalid`: a value is wrong, missing or unknown; `field` names it, and `detail` says what is right. `body_cut`: the body ended early. */
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
        /** @description `unauthorized`: a key is needed and none was sent, or it is wrong, expired or revoked */
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
        /** @description `forbidden`: the key or link is for other sites, or for other things */
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
        /** @description `site_unknown`: the installation has no such site. Only callers that may see all sites get this answer. */
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
        /** @description `body_timeout`: the body did not arrive within ten seconds */
        readonly TooLate: {
            headers: {
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 408;
                    /** @constant */
                    readonly code?: "body_timeout";
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
        /** @description `unsupported_media_type`: the content type of the body is not JSON, or the body is compressed */
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
        /** @description `query_too_slow`: the answer takes more than ten seconds. `query_too_large`: the answer needs more memory than the function has for a question, for instance for too many rows before pagination. Ask for a shorter range, fewer dimensions, a lower limit or more filters. */
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
        /** @description `rate_limited`: too many questions in a minute. `too_many_attempts`: the address of the client has sent too many wrong tokens or unknown keys. */
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
        /** @description `internal`: an error of the server; its log has the cause */
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
        /** @description `unavailable`: the database can't be reached. `overloaded`: too many questions are being answered, or too little memory is free; try again later. */
        readonly Unavailable: {
            headers: {
                readonly "Retry-After": components["headers"]["RetryAfter"];
                readonly [name: string]: unknown;
            };
            content: {
                readonly "application/problem+json": components["schemas"]["Problem"] & {
                    /** @constant */
                    readonly status?: 503;
                    /** @enum {unknown} */
                    readonly code?: "unavailable" | "overloaded";
                };
            };
        };
        /** @description No form in `Accept` is available */
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
        /** @description The events. If an error occurs during the export, the connection is cut. NDJSON has a JSON object per event, one per line */
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
        /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
        readonly IfNoneMatch: string;
        /** @description The form of the answer; takes precedence over `Accept` */
        readonly Format: "json" | "csv" | "ndjson" | "parquet";
    };
    requestBodies: never;
    headers: {
        /** @description Identifies this version of the answer */
        readonly ETag: string;
        /** @description Caches must not store the answer */
        readonly NoStore: "no-store";
        /** @description Only private caches may store the answer, and must revalidate it each time */
        readonly Revalidate: "private, no-cache";
        readonly Vary: "Accept, Authorization, Cookie";
        /** @description Seconds to wait before the next try */
        readonly RetryAfter: number;
        /** @description How to authenticate */
        readonly Bearer: string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly queryByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question as JSON */
                readonly query: string;
                /** @description The form of the answer; takes precedence over `Accept` */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
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
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 408: components["responses"]["TooLate"];
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
                /** @description The question as JSON */
                readonly query: string;
                /** @description The form of the answer; takes precedence over `Accept` */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
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
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 408: components["responses"]["TooLate"];
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
                /** @description The question as JSON */
                readonly query: string;
                /** @description The form of the answer; takes precedence over `Accept` */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
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
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 408: components["responses"]["TooLate"];
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
                /** @description The question as JSON */
                readonly query: string;
                /** @description The form of the answer; takes precedence over `Accept` */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
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
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 408: components["responses"]["TooLate"];
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
                /** @description The question as JSON */
                readonly query: string;
                /** @description The form of the answer; takes precedence over `Accept` */
                readonly format?: components["parameters"]["Format"];
            };
            readonly header?: {
                /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
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
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly visits: {
        readonly parameters: {
            readonly query?: {
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 408: components["responses"]["TooLate"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
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
                 * @description The id of a visit, as in `/v1/visits`
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
            /** @description `site_unknown`: the installation has no such site. `not_found`: the site has no such visit, or its events have changed since; list the visits again. */
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
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly exportEventsByAddress: {
        readonly parameters: {
            readonly query: {
                /** @description The question as JSON */
                readonly query: string;
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly exportEvents: {
        readonly parameters: {
            readonly query?: {
                /** @description The form of the answer; takes precedence over `Accept` */
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
            readonly 408: components["responses"]["TooLate"];
            readonly 413: components["responses"]["TooLarge"];
            readonly 415: components["responses"]["NotJSON"];
            readonly 422: components["responses"]["TooSlowOrLarge"];
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
            /** @description The last half hour */
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
            readonly 422: components["responses"]["TooSlowOrLarge"];
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
            /** @description The number of visitors */
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
            readonly 422: components["responses"]["TooSlowOrLarge"];
            readonly 429: components["responses"]["TooMany"];
            readonly 500: components["responses"]["Internal"];
            readonly 503: components["responses"]["Unavailable"];
        };
    };
    readonly document: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: {
                /** @description The `ETag` of a cached answer: if it is still current, the answer is 304 */
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
                    /** @description Shared caches may store it for some minutes */
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
