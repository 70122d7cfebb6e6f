// Package harness runs the real manager as a process, behind proxies that see, number, hold, spoil and refuse what it sends to the API
// server and to the vendor. The product has no hook for any of it.
//
//	proxy.go        one proxy, and what a test does to a request
//	process.go      the manager's life: start, ready, kill, stop, go on
//	world.go        a namespace with managers, their proxies and a judge
//	oauthtoken.go   OAuthTokens in it: what a user does with them, and what came of it
package harness
