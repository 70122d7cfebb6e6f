package fleet

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
)

// System is the namespace that managers run in.
const System = "tokensync-system"

// Cluster is a control plane.
type Cluster struct {
	client.WithWatch // an administrator's, without a limit of its own

	TB         testing.TB
	Kubeconfig string // file

	config *rest.Config
}

// StartCluster runs a control plane until the test ends.
func StartCluster(tb testing.TB) *Cluster {
	tb.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	c := &Cluster{TB: tb, config: kubetest.Start(tb)}
	c.Kubeconfig = kubetest.Kubeconfig(tb, c.config, "")
	var err error
	if c.WithWatch, err = client.NewWithWatch(c.config, client.Options{Scheme: scheme}); err != nil {
		tb.Fatal(err)
	}
	c.Namespace(System)
	return c
}

// Namespace makes one.
func (c *Cluster) Namespace(name string) {
	c.TB.Helper()
	if err := c.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		c.TB.Fatal(err)
	}
}

// Requests count what the API server was asked, by verb and resource, such as "APPLY secrets". Watches are left out: they are counted when they end.
type Requests map[string]int

// counted are the resources that a manager has to do with.
var counted = []string{"secrets", "oauthtokens", "events", "leases"}

// Asked is what the API server has been asked so far, by anybody.
func (c *Cluster) Asked() Requests {
	c.TB.Helper()
	found := Requests{}
	for _, metric := range c.metrics()["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, l := range metric.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["verb"] == "WATCH" || !slices.Contains(counted, labels["resource"]) {
			continue
		}
		found[labels["verb"]+" "+path.Join(labels["resource"], labels["subresource"])] += int(metric.GetCounter().GetValue())
	}
	return found
}

func (c *Cluster) metrics() map[string]*dto.MetricFamily {
	c.TB.Helper()
	asked, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		c.TB.Fatal(err)
	}
	text, err := asked.RESTClient().Get().AbsPath("/metrics").DoRaw(context.Background())
	if err != nil {
		c.TB.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		c.TB.Fatal(err)
	}
	return families
}

// Since is what was asked after an earlier count.
func (r Requests) Since(before Requests) Requests {
	more := Requests{}
	for what, n := range r {
		if n > before[what] {
			more[what] = n - before[what]
		}
	}
	return more
}

// Writes are all that change something but leases, which tell who leads, and events.
func (r Requests) Writes() int {
	return r.sum(func(verb, resource string) bool {
		return !isRead(verb) && resource != "leases" && resource != "events"
	})
}

// Reads are all that read something but leases.
func (r Requests) Reads() int {
	return r.sum(func(verb, resource string) bool { return isRead(verb) && resource != "leases" })
}

// All are those to anything but leases.
func (r Requests) All() int {
	return r.sum(func(_, resource string) bool { return resource != "leases" })
}

func isRead(verb string) bool { return verb == "GET" || verb == "LIST" }

// Per writes the counts for one of n.
func (r Requests) Per(n int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(r)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", what, float64(r[what])/float64(n)))
	}
	return strings.Join(parts, ", ")
}

// String writes the counts.
func (r Requests) String() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(r)) {
		parts = append(parts, fmt.Sprintf("%s %d", what, r[what]))
	}
	return strings.Join(parts, ", ")
}

func (r Requests) sum(of func(verb, resource string) bool) int {
	sum := 0
	for what, n := range r {
		if verb, resource, _ := strings.Cut(what, " "); of(verb, resource) {
			sum += n
		}
	}
	return sum
}
