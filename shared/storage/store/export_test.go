package store

// SelectVisitorDays is the query of VisitorDays.
const SelectVisitorDays = selectVisitorDays
