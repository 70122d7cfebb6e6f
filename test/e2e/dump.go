package e2e

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// DumpOnFailure prints, when the test fails, what a person would look at first. No Secret is read.
func (c *Cluster) DumpOnFailure() {
	c.TB.Cleanup(func() {
		if !c.TB.Failed() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c.dumpTokens(ctx)
		c.dumpEvents(ctx)
		c.dumpPods(ctx)
	})
}

func (c *Cluster) dumpTokens(ctx context.Context) {
	var tokens v1alpha1.OAuthTokenList
	if err := c.List(ctx, &tokens); err != nil {
		c.TB.Logf("OAuthTokens: %v", err)
	}
	for i := range tokens.Items {
		token := &tokens.Items[i]
		c.TB.Logf("OAuthToken %s/%s: issued %v, expires %v, renewal %v: %s", token.Namespace, token.Name,
			token.Status.IssuedAt, token.Status.ExpiresAt, token.Status.RenewalTime, conditions(token))
	}
}

func (c *Cluster) dumpEvents(ctx context.Context) {
	events, err := c.Core.EventsV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		c.TB.Logf("events: %v", err)
		return
	}
	for i := range events.Items {
		e := &events.Items[i]
		c.TB.Logf("event %s %s/%s %s %s: %s", e.EventTime.Format(time.TimeOnly), e.Regarding.Kind, e.Regarding.Namespace, e.Regarding.Name, e.Reason, e.Note)
	}
}

// dumpPods prints the state of every pod, and the last lines of the operator's and the actors' logs.
func (c *Cluster) dumpPods(ctx context.Context) {
	pods, err := c.Core.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		c.TB.Logf("pods: %v", err)
		return
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		for _, status := range pod.Status.ContainerStatuses {
			c.TB.Logf("pod %s/%s: %s, ready %t, %d restarts, %+v", pod.Namespace, pod.Name, pod.Status.Phase, status.Ready, status.RestartCount, status.State)
			if pod.Namespace == "kube-system" {
				continue
			}
			if status.RestartCount > 0 {
				c.dumpLog(ctx, pod, true)
			}
			c.dumpLog(ctx, pod, false)
		}
	}
}

func (c *Cluster) dumpLog(ctx context.Context, pod *corev1.Pod, before bool) {
	lines := int64(60)
	stream, err := c.Core.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &lines, Previous: before}).Stream(ctx)
	if err != nil {
		c.TB.Logf("log of %s: %v", pod.Name, err)
		return
	}
	defer stream.Close()
	text, _ := io.ReadAll(io.LimitReader(stream, 1<<16))
	c.TB.Logf("log of %s (before its restart: %t):\n%s", pod.Name, before, text)
}
