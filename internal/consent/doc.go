// Package consent holds what is known of a person's consent while it is asked for. It is pure: it knows nothing of Kubernetes, and the
// time is an argument.
//
// The controller and the portal meet here. Both read and write a Record, which stands as JSON in the state Secret of an OAuthToken, under
// optimistic concurrency:
//
//	controller  Invite    puts a ticket into the record; its link stands in status
//	portal      Begin     a browser used the ticket: an Attempt with its own state and code verifier
//	portal      Receive   that browser came back, with a code or with a refusal
//	controller  Take      the code leaves the record and is sent, once
//	controller  Settle    what came of it; the page shows it
//
//	record.go   the record and its JSON     ticket.go   tickets and other secrets, and their hashes
//	attempt.go  the life of an attempt      merge.go    two versions of one record
//	next.go     when time changes something
package consent
