package renewal

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
)

// share returns a part of span, at least 0 and less than span, that is always the same for the same key and spreads evenly over keys.
// A random part, drawn anew at each call, would move a planned time each time somebody asks for it.
func share(span time.Duration, key ...string) time.Duration {
	if span <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(strings.Join(key, "/")))
	const mantissa = 53 // the bits that a float64 holds exactly
	fraction := float64(binary.BigEndian.Uint64(sum[:])>>(64-mantissa)) / (1 << mantissa)
	return time.Duration(float64(span) * fraction)
}
