package e2e

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Follow lets a person in the cluster follow the link of an OAuthToken to its end, and returns the title of the last page.
func (s *Stage) Follow(namespace, name, link string) string {
	s.TB.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "person-" + name}
	pod := actorPod(meta, "person", "--link="+link)
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.HostAliases = []corev1.HostAlias{{IP: s.Address, Hostnames: exampleHosts()}}
	mount(pod, "/etc/authority", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: meta.Name}}})
	s.Make(&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"ca.crt": string(s.Authority)}}, pod)
	s.Await(func() string {
		seen, err := s.Core.CoreV1().Pods(namespace).Get(context.Background(), meta.Name, metav1.GetOptions{})
		switch {
		case err != nil:
			return err.Error()
		case seen.Status.Phase == corev1.PodSucceeded, seen.Status.Phase == corev1.PodFailed:
			return ""
		}
		return fmt.Sprintf("the person for %s is %s", name, seen.Status.Phase)
	})
	said, err := s.Core.CoreV1().Pods(namespace).GetLogs(meta.Name, &corev1.PodLogOptions{}).DoRaw(context.Background())
	if err != nil {
		s.TB.Fatal(err)
	}
	s.Kubectl("-n", namespace, "delete", "pod/"+meta.Name, "configmap/"+meta.Name)
	return strings.TrimSpace(string(said))
}
