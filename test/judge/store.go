package judge

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// store is fosite's memory. It counts refresh tokens and codes that come back after they were spent.
type store struct {
	*storage.MemoryStore

	reused  atomic.Int64 // refresh tokens
	codes   atomic.Int64 // codes
	lenient bool         // spent refresh tokens stay good
}

// GetRefreshTokenSession implements fosite's storage.
func (s *store) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	found, err := s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
	if errors.Is(err, fosite.ErrInactiveToken) {
		s.reused.Add(1)
	}
	return found, err
}

// GetAuthorizeCodeSession implements fosite's storage.
func (s *store) GetAuthorizeCodeSession(ctx context.Context, code string, session fosite.Session) (fosite.Requester, error) {
	found, err := s.MemoryStore.GetAuthorizeCodeSession(ctx, code, session)
	if errors.Is(err, fosite.ErrInvalidatedAuthorizeCode) {
		s.codes.Add(1)
	}
	return found, err
}

// RotateRefreshToken implements fosite's storage.
func (s *store) RotateRefreshToken(ctx context.Context, requestID, signature string) error {
	if s.lenient {
		return nil
	}
	return s.MemoryStore.RotateRefreshToken(ctx, requestID, signature)
}
