package judge

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// store is fosite's memory. It counts refresh tokens that come back after they were spent.
type store struct {
	*storage.MemoryStore

	reused  atomic.Int64
	lenient bool // spent refresh tokens stay good
}

// GetRefreshTokenSession implements fosite's storage.
func (s *store) GetRefreshTokenSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	found, err := s.MemoryStore.GetRefreshTokenSession(ctx, signature, session)
	if errors.Is(err, fosite.ErrInactiveToken) {
		s.reused.Add(1)
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
