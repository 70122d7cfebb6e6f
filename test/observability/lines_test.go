package observability_test

import (
	"bytes"
	"sync"
)

// lines keep what a process prints.
type lines struct {
	mu      sync.Mutex
	printed bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.printed.Write(text)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.printed.String()
}
