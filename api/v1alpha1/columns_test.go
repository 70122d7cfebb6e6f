package v1alpha1_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// testColumns shows what kubectl get shows: the API server itself makes the table.
func (s apiServer) testColumns(t *testing.T) {
	s.store(t)
	status, err := yaml.YAMLToJSON([]byte("status:" + indented(fullStatus)))
	if err != nil {
		t.Fatal(err)
	}
	s.merge(t, "stored/status", string(status)).accepted(t)

	answer := s.send(t, http.MethodGet, collection, nil, "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").accepted(t)
	var table metav1.Table
	if err := json.Unmarshal(answer.body, &table); err != nil {
		t.Fatal(err)
	}
	var normal, wide []string
	got := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			normal = append(normal, column.Name)
		} else {
			wide = append(wide, column.Name)
		}
		got[column.Name] = table.Rows[0].Cells[i]
	}
	if diff := cmp.Diff([]string{"Name", "Ready", "Reason", "Vendor", "Expires", "Age"}, normal); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Grant", "Secret", "Renewal", "Refresh-Expires"}, wide); diff != "" {
		t.Errorf("columns of -o wide (-want +got):\n%s", diff)
	}
	delete(got, "Age") // counts from now
	if diff := cmp.Diff(map[string]any{
		"Name": "stored", "Ready": "True", "Reason": "TokenIssued", "Vendor": "genesys-cloud", "Expires": "2026-01-31T13:00:00Z",
		"Grant": "SAML2Bearer", "Secret": "target", "Renewal": "2026-01-31T12:40:00Z", "Refresh-Expires": "2026-03-01T12:00:00Z",
	}, got); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	s.checkNames(t)
}

// checkNames shows by which names kubectl finds OAuthTokens.
func (s apiServer) checkNames(t *testing.T) {
	t.Helper()
	answer := s.send(t, http.MethodGet, "/apis/tokensync.dev/v1alpha1", nil).accepted(t)
	var found metav1.APIResourceList
	if err := json.Unmarshal(answer.body, &found); err != nil {
		t.Fatal(err)
	}
	want := metav1.APIResource{
		Name: "oauthtokens", SingularName: "oauthtoken", Kind: "OAuthToken", Namespaced: true, ShortNames: []string{"oat"},
		Categories: []string{"tokensync"},
	}
	for _, resource := range found.APIResources {
		resource.Verbs, resource.StorageVersionHash = nil, ""
		if resource.Name != "oauthtokens/status" {
			if diff := cmp.Diff(want, resource); diff != "" {
				t.Errorf("resource (-want +got):\n%s", diff)
			}
		}
	}
}
