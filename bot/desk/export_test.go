package desk

// Spread is spread, for its test.
var Spread = spread
