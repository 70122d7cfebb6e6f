package fleet

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tokensync.dev/tokensync/test/harness"
)

// Manager is a manager as a process.
type Manager struct {
	*harness.Process

	// Started is just before the process began.
	Started time.Time

	cluster *Cluster
	metrics string
}

// RunManager runs a manager with the default settings until the test ends, and waits until it is ready. It trusts the vendor.
func (c *Cluster) RunManager(v *Vendor, flags ...string) *Manager {
	c.TB.Helper()
	return c.RunManagerIn(System, v, flags...)
}

// RunManagerIn is RunManager in another namespace, where it has a lease and a key of its own.
func (c *Cluster) RunManagerIn(namespace string, v *Vendor, flags ...string) *Manager {
	c.TB.Helper()
	harness.Binary(c.TB)
	if err := os.Setenv("SSL_CERT_FILE", v.Authority); err != nil { // for the child
		c.TB.Fatal(err)
	}
	m := &Manager{cluster: c, metrics: harness.FreeAddress(c.TB), Started: time.Now()}
	m.Process = harness.RunManager(c.TB, c.Kubeconfig, namespace, slices.Concat([]string{
		"--leader-elect", "--allow-loopback", "--allowed-hosts=" + v.Host(),
		"--metrics-bind-address=" + m.metrics, "--metrics-authorization=false",
	}, flags)...)
	return m
}

// ticks are the kernel's units of processor time in a second (USER_HZ, the same on every Linux of today's architectures).
const ticks = 100

// ProcessorTime is what the process has used so far.
func (m *Manager) ProcessorTime() time.Duration {
	m.cluster.TB.Helper()
	text := m.proc("stat")
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	spent := 0
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			m.cluster.TB.Fatal(err)
		}
		spent += n
	}
	return time.Duration(spent) * time.Second / ticks
}

// Memory is what the process holds, in MiB: resident in all, of it its own (not pages of the program's file), and the most it has held in all.
type Memory struct{ Resident, Own, Peak float64 }

// String implements fmt.Stringer.
func (m Memory) String() string {
	return fmt.Sprintf("%.0f MiB resident (%.0f its own), peak %.0f", m.Resident, m.Own, m.Peak)
}

// Memory reads it from the kernel.
func (m *Manager) Memory() Memory {
	m.cluster.TB.Helper()
	read := map[string]float64{}
	for line := range strings.SplitSeq(m.proc("status"), "\n") {
		name, rest, _ := strings.Cut(line, ":")
		if n, found := strings.CutSuffix(strings.TrimSpace(rest), " kB"); found {
			kib, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
			if err != nil {
				m.cluster.TB.Fatal(err)
			}
			read[name] = kib / 1024
		}
	}
	return Memory{Resident: read["VmRSS"], Own: read["RssAnon"], Peak: read["VmHWM"]}
}

// Settled is the memory once it does not shrink any more: the least of so long a rest.
func (m *Manager) Settled(rest time.Duration) Memory {
	m.cluster.TB.Helper()
	least := m.Memory()
	for end := time.Now().Add(rest); time.Now().Before(end); time.Sleep(time.Second) {
		if now := m.Memory(); now.Resident < least.Resident {
			least = now
		}
	}
	return least
}

// Files is how many file descriptors are open.
func (m *Manager) Files() int {
	m.cluster.TB.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(m.PID()), "fd"))
	if err != nil {
		m.cluster.TB.Fatal(err)
	}
	return len(entries)
}

// Metrics are what the manager tells of itself.
func (m *Manager) Metrics() map[string]*dto.MetricFamily {
	m.cluster.TB.Helper()
	asked := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
	}}
	response, err := asked.Get("https://" + m.metrics + "/metrics")
	if err != nil {
		m.cluster.TB.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		m.cluster.TB.Fatal(err)
	}
	return families
}

// Value is the sum of a metric's gauges and counters; a histogram counts with its number of observations.
func (m *Manager) Value(name string) float64 {
	m.cluster.TB.Helper()
	sum := 0.0
	for _, metric := range m.Metrics()[name].GetMetric() {
		sum += metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
	}
	return sum
}

func (m *Manager) proc(file string) string {
	m.cluster.TB.Helper()
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.PID()), file))
	if err != nil {
		m.cluster.TB.Fatal(err)
	}
	return string(content)
}
