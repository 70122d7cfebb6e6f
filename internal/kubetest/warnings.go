package kubetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Warnings are those that come with the API server's answers, to a client that has them as its handler.
type Warnings struct {
	mutex sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *Warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.texts = append(w.texts, fmt.Sprint(code, " ", text))
}

// All lists them.
func (w *Warnings) All() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.texts)
}
