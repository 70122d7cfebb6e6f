// Package oauth obtains tokens from OAuth 2.0 authorization servers.
package oauth
