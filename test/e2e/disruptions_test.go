//go:build cluster

package e2e

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// disruptions lets happen to the cluster what can, one after the other, while two applications call: one that reads the token's file for
// each call, and one that keeps the token until it is refused. After each there must be another renewal, and no call may be rejected.
func disruptions(s *Stage, pace pace) {
	reader, keeper := s.Caller(team, "reader"), s.Caller(team, "keeper")
	for _, d := range []struct {
		name string
		play func(*Stage)
	}{
		{"an operator is rolled out", func(s *Stage) {
			s.Kubectl("-n", s.System, "rollout", "restart", "deployment/"+operatorName)
			s.AwaitOperator()
		}},
		{"the leader's pod is deleted at once", func(s *Stage) {
			now := int64(0)
			err := s.Core.CoreV1().Pods(s.System).Delete(context.Background(), s.Leader().Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
			if err != nil {
				s.TB.Fatal(err)
			}
		}},
		{"the leader's process is killed", func(s *Stage) {
			s.NeedsLab("killing a process")
			s.KillContainer(s.Leader())
		}},
		{"the API server is restarted, and away for 15 seconds", func(s *Stage) {
			s.NeedsLab("restarting the API server")
			s.RestartAPIServer(15 * time.Second) // longer than a leader goes on without a lease
		}},
		{"the node is restarted", func(s *Stage) {
			s.NeedsLab("restarting the node")
			s.RestartNode()
			s.AwaitPod(stageNamespace, "vendor")
		}},
	} {
		s.TB.(*testing.T).Run(d.name, func(t *testing.T) {
			inner := s.InTest(t)
			holder, seen := inner.LeaseHolder(), inner.Renewals(reader)
			d.play(inner)
			inner.AwaitOtherLeader(holder)
			inner.AwaitOperator()
			inner.AwaitRenewals(max(seen, inner.Renewals(reader))+1, patience, reader)
			inner.Accounts(reader, keeper)
		})
	}
	n := wanted(s, "E2E_RENEWALS", 10)
	s.AwaitRenewals(n, time.Duration(n)*(40*time.Second+pace.look), reader)
	s.Accounts(reader, keeper)
}
