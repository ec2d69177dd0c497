// Package language is the query language: it parses and checks questions about a site.
// The first kind has the form of Plausible's Stats API v2; funnels, cohorts, journeys and
// lists of visits and events have kinds of their own, which their types describe.
//
// The package is pure: no SQL, no clock, no network. Package engine executes questions,
// package report shapes the answers.
//
// # What a number means
//
// A question selects the events of the site that lie in the range and match every
// filter. A filter on a dimension of visits looks at the visit that an event belongs to.
// Engagements do not count as events. The events of one row share a period (of the time
// dimension) and a value of each other dimension; an event that reaches several goals is
// in the row of each. For the events of a row,
//
//   - visitors is the number of visitor-days: identity lasts one local day of the site,
//     so a person who comes on two days counts twice;
//   - pageviews is the number of views, events the number of all events;
//   - visits is the number of visits that have any of the events. A visit counts only in
//     the period (and range) in which it began;
//   - bounce_rate is the percentage of those visits that had a single event, passive
//     events not counted, rounded to a whole number. If event:page is a dimension, or is
//     filtered by outside has_done, it is about those of them whose entry page the events
//     have: the first view, or the first event of a visit without views, is one of them. It is
//     null if there are visits and none of these;
//   - visit_duration is the mean duration of those visits from their first to their last
//     event, in whole seconds;
//   - views_per_visit is pageviews / visits, to two decimals;
//   - total_revenue is the sum of the amounts, average_revenue that sum divided by the
//     number of events with an amount, to four decimals. In the row of a goal with a
//     currency, only amounts in it count. Both are null without amounts, and when amounts
//     are in several currencies;
//   - revenue_by_currency has that sum for each currency. It is null without amounts, and
//     nothing is ordered by it;
//   - percentage is the share of the visitors of the question without its dimensions, to
//     two decimals;
//   - conversion_rate is the share of the visitors of the question without its
//     dimensions, its filters on goals and its filters on properties of events, which
//     events that reach no goal need not have; group_conversion_rate is the share of the
//     visitors of the row without those filters and the goal dimension. Filters inside
//     other filters stay.
//
// Two metrics are about engagements: those in the range that match the filters themselves
// and have the row's values, in visits that count in the row.
//
//   - time_on_page is the sum of their engaged time divided by the number of those visits,
//     in whole seconds; null if there are none;
//   - scroll_depth is the mean of the deepest scroll of each visit that reports one, in
//     whole percent; null if there are none.
//
// Any other quotient without visits or visitors is 0.
package language
