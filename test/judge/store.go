package judge

import (
	"context"
	"errors"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// store is fosite's memory. It counts refresh tokens and codes that come back after they were spent, and knows which refresh tokens belong
// together. The judge lets in one request at a time.
type store struct {
	*storage.MemoryStore

	lenient  bool              // spent refresh tokens stay good
	reused   int               // refresh tokens that came back
	codes    int               // codes that came back
	families map[string]string // the grant that a refresh token came from, by signature
	newest   map[string]string // the signature of a grant's newest refresh token
}

func newStore(lenient bool) *store {
	return &store{MemoryStore: storage.NewMemoryStore(), lenient: lenient, families: map[string]string{}, newest: map[string]string{}}
}

// GetRefreshTokenSession implements fosite's storage.
func (s *store) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	found, err := s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
	if errors.Is(err, fosite.ErrInactiveToken) {
		s.reused++
	}
	return found, err
}

// GetAuthorizeCodeSession implements fosite's storage.
func (s *store) GetAuthorizeCodeSession(ctx context.Context, code string, session fosite.Session) (fosite.Requester, error) {
	found, err := s.MemoryStore.GetAuthorizeCodeSession(ctx, code, session)
	if errors.Is(err, fosite.ErrInvalidatedAuthorizeCode) {
		s.codes++
	}
	return found, err
}

// CreateRefreshTokenSession implements fosite's storage.
func (s *store) CreateRefreshTokenSession(ctx context.Context, signature, accessSignature string, request fosite.Requester) error {
	s.families[signature], s.newest[request.GetID()] = request.GetID(), signature
	return s.MemoryStore.CreateRefreshTokenSession(ctx, signature, accessSignature, request)
}

// RotateRefreshToken implements fosite's storage.
func (s *store) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	if s.lenient {
		return nil
	}
	return s.MemoryStore.RotateRefreshToken(ctx, requestID, signature)
}

// good tells whether a refresh token can be spent, without taking the question for a use.
func (s *store) good(ctx context.Context, signature string) bool {
	_, err := s.MemoryStore.GetRefreshTokenSession(ctx, signature, nil)
	return err == nil
}

// alive tells whether the newest refresh token of a grant can be spent.
func (s *store) alive(ctx context.Context, signature string) bool {
	return s.good(ctx, s.newest[s.families[signature]])
}
