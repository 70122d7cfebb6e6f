package controller

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

func TestALooksLoggerTellsOfWhatItIs(t *testing.T) {
	var out bytes.Buffer
	request := &ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "orders", Name: "api"}}
	logger := loggers(zap.New(zap.WriteTo(&out)))(request).WithValues("reconcileID", "7").WithName("part")
	logger.V(1).Info("not at this level")
	logger.Info("said", "what", "more")
	logger.Error(errors.New("broken"), "failed")
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		read := map[string]any{}
		if err := json.Unmarshal([]byte(line), &read); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		delete(read, "ts")
		delete(read, "stacktrace")
		lines = append(lines, read)
	}
	common := func(level, message string) map[string]any {
		return map[string]any{
			"level": level, "msg": message, "logger": "part", "controller": "oauthtoken", "controllerGroup": "tokensync.dev", "controllerKind": "OAuthToken",
			"OAuthToken": map[string]any{"namespace": "orders", "name": "api"}, "namespace": "orders", "name": "api", "reconcileID": "7",
		}
	}
	said, failed := common("info", "said"), common("error", "failed")
	said["what"], failed["error"] = "more", "broken"
	if diff := cmp.Diff([]map[string]any{said, failed}, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out.Reset()
	loggers(zap.New(zap.WriteTo(&out)))(nil).Info("without a look")
	if !strings.Contains(out.String(), `"controller":"oauthtoken"`) {
		t.Errorf("logged %s", out.String())
	}
}
