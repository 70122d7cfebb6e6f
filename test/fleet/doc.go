// Package fleet runs the real manager over many OAuthTokens, on a control plane of its own and against a scripted vendor that takes its time,
// and counts what that costs: by the API server's metrics, the vendor's clock and the kernel's accounts, never by the manager's own word.
//
//	cluster.go   the control plane, and what it was asked       vendor.go    the vendor, and when it was asked by whom
//	manager.go   a manager, its memory and processor time       tokens.go    many OAuthTokens, made and watched
package fleet
