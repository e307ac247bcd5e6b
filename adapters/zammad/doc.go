// Package zammad keeps a ticket in the organisation's Zammad for each of ours, and
// brings back what agents write there.
//
// It is in charge of Zammad's REST API and of the webhook of its trigger: one attempt
// at a time, and an honest word of what became of it. It must not retry, must not
// believe a webhook more than that something has changed, and must not write a token,
// an address or a text to a log or into an error. README.md here is for whoever sets
// Zammad up; facts.go says where each thing that it relies on stands.
package zammad
