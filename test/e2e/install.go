package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/kubetest"
)

// operatorName is that of the operator's Deployment, account and Lease.
const operatorName = "tokensync-manager"

// Overlay is a user's own folder over one that is shipped: the image, more flags, the vendors' addresses and who vouches for them.
type Overlay struct {
	Sources string // of the release; empty: this tree
	Base    string // a folder in it, such as config/default
	Image   string
	Flags   []string
}

// Write writes the overlay's folder and returns its path.
func (s *Stage) Write(o Overlay) string {
	s.TB.Helper()
	folder := s.TB.TempDir()
	sources := o.Sources
	if sources == "" {
		sources = kubetest.Root()
	}
	base, err := filepath.Rel(resolved(s, folder), filepath.Join(resolved(s, sources), o.Base))
	if err != nil {
		s.TB.Fatal(err)
	}
	name, tag, _ := strings.Cut(o.Image, ":")
	content := map[string]any{
		"namespace": s.System,
		"resources": []string{base, "authority.yaml"},
		"images":    []map[string]string{{"name": "tokensync", "newName": name, "newTag": tag}},
		"patches":   s.patches(o.Flags),
	}
	authority := &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.System, Name: "vendor-authority"},
		Data:       map[string]string{"ca-certificates.crt": string(s.Authority)},
	}
	for file, object := range map[string]any{"kustomization.yaml": content, "authority.yaml": authority} {
		text, err := yaml.Marshal(object)
		if err != nil {
			s.TB.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
			s.TB.Fatal(err)
		}
	}
	return folder
}

func resolved(s *Stage, folder string) string {
	s.TB.Helper()
	path, err := filepath.EvalSymlinks(folder)
	if err != nil {
		s.TB.Fatal(err)
	}
	return path
}

// patches lead the vendors' host names to the stage, and put its certificate in the place of the image's.
func (s *Stage) patches(flags []string) []map[string]any {
	target := map[string]string{"kind": "Deployment", "name": operatorName}
	merge, err := yaml.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]string{"name": operatorName},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"hostAliases": []map[string]any{{"ip": s.Address, "hostnames": exampleHosts()}},
			"volumes":     []map[string]any{{"name": "authority", "configMap": map[string]string{"name": "vendor-authority"}}},
			"containers": []map[string]any{{
				"name": "manager", "volumeMounts": []map[string]any{{"name": "authority", "mountPath": "/etc/ssl/certs", "readOnly": true}},
			}},
		}}},
	})
	if err != nil {
		s.TB.Fatal(err)
	}
	patches := []map[string]any{{"target": target, "patch": string(merge)}}
	for _, flag := range flags {
		operation, err := json.Marshal([]map[string]string{{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": flag}})
		if err != nil {
			s.TB.Fatal(err)
		}
		patches = append(patches, map[string]any{"target": target, "patch": string(operation)})
	}
	return patches
}

// Install applies an overlay and waits until the operator is there.
func (s *Stage) Install(overlay string) {
	s.TB.Helper()
	s.Kubectl("apply", "--server-side", "-k", overlay)
	s.AwaitOperator()
}

// AwaitOperator waits until the Deployment is rolled out and one of its pods leads.
func (s *Stage) AwaitOperator() {
	s.TB.Helper()
	s.Kubectl("-n", s.System, "rollout", "status", "deployment/"+operatorName, "--timeout="+patience.String())
	s.Leader()
}

// Leader waits until one of the operator's living pods holds the lease, and returns it.
func (s *Stage) Leader() *corev1.Pod {
	s.TB.Helper()
	var leader *corev1.Pod
	s.Await(func() string {
		ctx := context.Background()
		lease, err := s.Core.CoordinationV1().Leases(s.System).Get(ctx, operatorName, metav1.GetOptions{})
		if err != nil {
			return fmt.Sprintf("read the lease: %v", err)
		}
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return "nobody leads"
		}
		name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
		leader, err = s.Core.CoreV1().Pods(s.System).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Sprintf("read the leading pod: %v", err)
		}
		if leader.DeletionTimestamp != nil || leader.Status.Phase != corev1.PodRunning {
			return fmt.Sprintf("the pod %s, which has the lease, is ending", name)
		}
		return ""
	})
	return leader
}

// LeaseHolder is the identity that the lease names: of a process, and not only of its pod.
func (s *Stage) LeaseHolder() string {
	lease, err := s.Core.CoordinationV1().Leases(s.System).Get(context.Background(), operatorName, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// AwaitOtherLeader waits until somebody else leads than before.
func (s *Stage) AwaitOtherLeader(before string) {
	s.TB.Helper()
	s.Await(func() string {
		if holder := s.LeaseHolder(); holder == "" || holder == before {
			return fmt.Sprintf("%q has the lease", holder)
		}
		return ""
	})
}
