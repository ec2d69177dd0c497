/**
 * The types of the HTTP API of the function `query`, by name. They are documented in
 * functions/query/openapi.json.
 */
import type { components } from './openapi';

type Schemas = components['schemas'];

export type SiteID = Schemas['SiteID'];
export type Metric = Schemas['Metric'];
export type TimeDimension = Schemas['TimeDimension'];
export type GoalDimension = Schemas['GoalDimension'];
export type EventDimension = Schemas['EventDimension'];
export type PropertyDimension = Schemas['PropertyDimension'];
export type VisitDimension = Schemas['VisitDimension'];
export type Dimension = Schemas['Dimension'];
export type FilterDimension = Schemas['FilterDimension'];
export type ComparisonOperator = Schemas['ComparisonOperator'];
export type FilterValues = Schemas['FilterValues'];
export type Filter = Schemas['Filter'];
export type Filters = Schemas['Filters'];
export type Day = Schemas['Day'];
export type Instant = Schemas['Instant'];
export type LastDays = Schemas['LastDays'];
export type LastMonths = Schemas['LastMonths'];
export type DateRange = Schemas['DateRange'];
export type Days = Schemas['Days'];
export type Span = Schemas['Span'];
export type OrderBy = Schemas['OrderBy'];
export type Comparisons = Schemas['Comparisons'];
export type MatchDayOfWeek = Schemas['MatchDayOfWeek'];
export type WholeComparison = Schemas['WholeComparison'];
export type Include = Schemas['Include'];
export type Pagination = Schemas['Pagination'];
export type Question = Schemas['Question'];
export type Money = Schemas['Money'];
export type Currency = Schemas['Currency'];
export type Value = Schemas['Value'];
export type Label = Schemas['Label'];
export type Row = Schemas['Row'];
export type Compared = Schemas['Compared'];
export type Warning = Schemas['Warning'];
export type Meta = Schemas['Meta'];
export type ResolvedQuestion = Schemas['ResolvedQuestion'];
export type Answer = Schemas['Answer'];
export type Step = Schemas['Step'];
export type Breakdown = Schemas['Breakdown'];
export type BreakdownLimit = Schemas['BreakdownLimit'];
export type FunnelQuestion = Schemas['FunnelQuestion'];
export type Reached = Schemas['Reached'];
export type FunnelAnswer = Schemas['FunnelAnswer'];
export type Interval = Schemas['Interval'];
export type CohortsQuestion = Schemas['CohortsQuestion'];
export type Share = Schemas['Share'];
export type Cohort = Schemas['Cohort'];
export type CohortsAnswer = Schemas['CohortsAnswer'];
export type JourneysQuestion = Schemas['JourneysQuestion'];
export type Node = Schemas['Node'];
export type Link = Schemas['Link'];
export type JourneysAnswer = Schemas['JourneysAnswer'];
export type VisitsQuestion = Schemas['VisitsQuestion'];
export type VisitID = Schemas['VisitID'];
export type Visit = Schemas['Visit'];
export type VisitsAnswer = Schemas['VisitsAnswer'];
export type Moment = Schemas['Moment'];
export type Timeline = Schemas['Timeline'];
export type LiveCount = Schemas['LiveCount'];
export type Snapshot = Schemas['Snapshot'];
export type Problem = Schemas['Problem'];
