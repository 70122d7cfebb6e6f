package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/certificate"
	"tokensync.dev/tokensync/test/e2e/actors"
)

const (
	// stageNamespace holds the vendor.
	stageNamespace = "stage"
	// vendorHost is the vendor's name in the cluster.
	vendorHost = "vendor.stage.svc"
	// portalURL is what the persons of the suite see: they sit in the cluster.
	portalURL = "http://tokensync-portal.tokensync-system.svc"
)

// exampleHosts are the vendors' hosts in the example manifests.
func exampleHosts() []string {
	return []string{
		"auth.sfrglobalcc.com", "login.mypurecloud.com", "login.mypurecloud.de", "login.mypurecloud.ie", "login.mypurecloud.com.au",
		"example.brightpattern.com", "vantage-eu.abbyy.com", "vantage-us.abbyy.com", "login.warehouse.example",
	}
}

// Stage is the scripted vendor and the resource server in a cluster.
type Stage struct {
	*Cluster

	Address   string // of the vendor's Service
	Authority []byte // PEM, to be trusted
	System    string // the operator's namespace
}

// NewStage starts the vendor. It has certificates for its own name and for the hosts of the example manifests.
func (c *Cluster) NewStage(play actors.Play) *Stage {
	c.TB.Helper()
	c.Namespace(stageNamespace)
	play.RedirectURI = portalURL + "/callback"
	script, err := json.Marshal(play)
	if err != nil {
		c.TB.Fatal(err)
	}
	authority, key := certificate.New(c.TB, append(exampleHosts(), vendorHost)...)
	meta := metav1.ObjectMeta{Namespace: stageNamespace, Name: "vendor"}
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "vendor"},
		Ports: []corev1.ServicePort{
			{Name: "https", Port: 443, TargetPort: intstr.FromInt32(8443)},
			{Name: "desk", Port: 8080, TargetPort: intstr.FromInt32(8080)},
		},
	}}
	c.Make(
		service,
		&corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": authority, "tls.key": key}},
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"play.json": string(script)}},
		vendorPod(meta),
	)
	s := &Stage{Cluster: c, Address: service.Spec.ClusterIP, Authority: authority, System: "tokensync-system"}
	c.AwaitPod(stageNamespace, "vendor")
	return s
}

// InTest is the stage for a subtest.
func (s *Stage) InTest(tb testing.TB) *Stage {
	tb.Helper()
	inner := *s
	inner.Cluster = s.In(tb)
	return &inner
}

func vendorPod(meta metav1.ObjectMeta) *corev1.Pod {
	meta.Labels = map[string]string{"app": "vendor"}
	pod := actorPod(meta, "vendor")
	mount(pod, "/etc/play", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: meta.Name}}})
	mount(pod, "/etc/tls", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: meta.Name}})
	mount(pod, "/memory", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}}, PeriodSeconds: 1,
	}
	return pod
}

// actorPod is a pod that the restricted standard lets in.
func actorPod(meta metav1.ObjectMeta, arguments ...string) *corev1.Pod {
	yes, no := true, false
	grace := int64(1)
	return &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: &grace,
		AutomountServiceAccountToken:  &no,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "actor", Image: actorImage(), ImagePullPolicy: corev1.PullIfNotPresent, Args: arguments,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}}
}

func mount(pod *corev1.Pod, path string, source corev1.VolumeSource) {
	name := fmt.Sprintf("v%d", len(pod.Spec.Volumes))
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	container := &pod.Spec.Containers[0]
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
}

// AwaitPod waits until a pod is ready.
func (c *Cluster) AwaitPod(namespace, name string) {
	c.TB.Helper()
	c.Await(func() string {
		pod, err := c.Core.CoreV1().Pods(namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return ""
			}
		}
		return fmt.Sprintf("pod %s is %s: %+v", name, pod.Status.Phase, pod.Status.ContainerStatuses)
	})
}

// AtDesk asks the vendor about a client.
func (s *Stage) AtDesk(question string, vendor oauthtest.Vendor, client string) []byte {
	s.TB.Helper()
	var answer []byte
	s.Await(func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var err error
		answer, err = s.Core.CoreV1().Services(stageNamespace).
			ProxyGet("http", "vendor", "desk", question, map[string]string{"vendor": string(vendor), "client": client}).DoRaw(ctx)
		if err != nil {
			return fmt.Sprintf("ask the vendor: %v", err)
		}
		return ""
	})
	return answer
}

// Count is how many token requests a client has made.
func (s *Stage) Count(vendor oauthtest.Vendor, client string) actors.Count {
	s.TB.Helper()
	var count actors.Count
	if err := json.Unmarshal(s.AtDesk("count", vendor, client), &count); err != nil {
		s.TB.Fatal(err)
	}
	return count
}
