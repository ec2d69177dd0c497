package store

// SelectVisitorDays is what VisitorDays asks, for a test of its plan.
const SelectVisitorDays = selectVisitorDays
