package oauthtest

import "strings"

// IsLive tells whether the access token would be accepted now (see /resource).
func (s *Server) IsLive(accessToken string) bool {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	return s.vault.live(s.now(), accessToken)
}

// OwnerOf is the vendor and client that the access token was issued to, live or not; empty for a token that is not
// from here, or that is forgotten (see WithLongMemory).
func (s *Server) OwnerOf(accessToken string) (Vendor, string) {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	t := s.vault.access[accessToken]
	return t.vendor, t.clientID
}

// RefreshTokenIsLive tells whether the refresh token would be accepted now: neither spent, revoked nor expired.
func (s *Server) RefreshTokenIsLive(refreshToken string) bool {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	line := s.vault.refreshers[refreshToken]
	return line != nil && line.alive(s.now()) && line.live == refreshToken
}

// FamilyAlive tells whether the family of the refresh token, which may be spent, still has one that is live.
func (s *Server) FamilyAlive(refreshToken string) bool {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	line := s.vault.refreshers[refreshToken]
	return line != nil && line.alive(s.now())
}

// NewRefreshToken hands out a refresh token as if somebody had authorized the client elsewhere: the seed of a credentials Secret. An
// empty scope stands for the client's. The token is worthless if the client is not registered.
func (s *Server) NewRefreshToken(vendor Vendor, clientID, scope string) string {
	client, known := s.registry.client(vendor, clientID)
	if !known {
		return ""
	}
	if scope == "" {
		scope = strings.Join(client.Scopes, " ")
	}
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	return s.vault.start(s.now(), client, scope).live
}

// Revoke ends an access token, or the whole family of a refresh token with all its access tokens, as vendors do without notice.
func (s *Server) Revoke(token string) {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	s.vault.revoke(token)
}
