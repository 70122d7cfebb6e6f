// Package rbac holds tests that compare what the manager may do with what it does. The manager runs under its own ServiceAccount with the
// roles of config/default, and the API server's audit log tells what it asked for.
//
//	roles_test.go       the roles of an installation, taken apart into rules of one verb each
//	site_test.go        a namespace with those roles, or with all but one rule, and a manager under them
//	audit_test.go       the API server's audit log
//	used_test.go        what is granted and not used stands in a list, with the reason
//	needs_test.go       what each rule is for
//	necessary_test.go   without a rule, what it is for stops; with it again, it works
//	namespaced_test.go  the installation for one namespace has no right outside of it
//	elsewhere_test.go   a manager that serves other namespaces than its own has what it needs there
//	people_test.go      the roles for people
package rbac
