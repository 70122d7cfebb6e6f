package harness

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// The ports that are handed out lie below those that Linux gives to outgoing connections (32768 and up): nothing takes one while the process
// that it is meant for starts. Each test binary begins somewhere else.
const (
	firstPort = 15000
	ports     = 15000
)

var (
	firstOffset = rand.Uint32N(ports)
	given       atomic.Uint32
)

// FreeAddress is one that nobody listens on, and that is given to nobody else.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	for range ports {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+int((firstOffset+given.Add(1))%ports)))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		_ = listener.Close()
		return address
	}
	tb.Fatal("no port is free")
	return ""
}
