package fleet

import (
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// Targets follows the target Secrets of a namespace.
type Targets struct {
	mu       sync.Mutex
	seen     map[string]Served
	replaced []Replaced
}

// Replaced is a token that another one took the place of.
type Replaced struct {
	ID    string
	Token Served
	At    time.Time
}

// Served is the token of a target Secret.
type Served struct {
	IssuedAt, ExpiresAt time.Time
	AccessToken         string
	At                  time.Time // when the watch told of it
	Writes              int
}

// Follow watches the target Secrets of a namespace, "" for all, until the test ends.
func (c *Cluster) Follow(namespace string) *Targets {
	c.TB.Helper()
	t := &Targets{seen: map[string]Served{}}
	c.followSecrets(namespace, v1alpha1.RoleTarget, cache.ResourceEventHandlerFuncs{
		AddFunc: t.note, UpdateFunc: func(_, now any) { t.note(now) }, DeleteFunc: t.forget,
	})
	return t
}

// followSecrets tells of the Secrets of a role in a namespace, "" for all, until the test ends.
func (c *Cluster) followSecrets(namespace, role string, handler cache.ResourceEventHandler) {
	c.TB.Helper()
	clients, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		c.TB.Fatal(err)
	}
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = v1alpha1.RoleLabel + "=" + role }))
	informer := factory.Core().V1().Secrets().Informer()
	if _, err := informer.AddEventHandler(handler); err != nil {
		c.TB.Fatal(err)
	}
	stop := make(chan struct{})
	c.TB.Cleanup(func() { close(stop); factory.Shutdown() })
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
}

// All are the targets by ID.
func (t *Targets) All() map[string]Served {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.seen)
}

// Replaced are the tokens that were replaced so far.
func (t *Targets) Replaced() []Replaced {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.replaced)
}

// Count is how many targets are as they should be.
func (t *Targets) Count(good func(Served) bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, served := range t.seen {
		if good(served) {
			n++
		}
	}
	return n
}

// Await waits until so many targets are as they should be; false: not in time.
func (t *Targets) Await(n int, patience time.Duration, good func(Served) bool) bool {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if t.Count(good) >= n {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func (t *Targets) note(object any) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return
	}
	issued, _ := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.IssuedAtAnnotation])
	expires, _ := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.ExpiresAtAnnotation])
	t.mu.Lock()
	defer t.mu.Unlock()
	id := ID(secret.Namespace, secret.Name)
	before, now := t.seen[id], time.Now()
	token := string(secret.Data["access_token"])
	if before.AccessToken != "" && before.AccessToken != token {
		t.replaced = append(t.replaced, Replaced{ID: id, Token: before, At: now})
	}
	t.seen[id] = Served{IssuedAt: issued, ExpiresAt: expires, AccessToken: token, At: now, Writes: before.Writes + 1}
}

func (t *Targets) forget(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if secret, ok := object.(*corev1.Secret); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.seen, ID(secret.Namespace, secret.Name))
	}
}
