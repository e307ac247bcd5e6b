// Package calendar knows when people are at work: hours of a week in a time zone,
// with summer time and holidays.
//
// It is in charge of reading hours and holidays and of counting in them. It must
// not know who keeps the hours, nor what is done in them.
package calendar
