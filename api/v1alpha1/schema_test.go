package v1alpha1_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/kubetest"
)

// field is a place in the schema: its path, with [] for the items of a list and the values of a map.
type field struct {
	path   string
	name   string // the last element of the path; empty for items and values
	schema apiextensionsv1.JSONSchemaProps
}

// resourceDefinition is the generated CRD.
func resourceDefinition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(kubetest.Root(), "config", "crd", "bases", "tokensync.dev_oauthtokens.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &definition); err != nil {
		t.Fatal(err)
	}
	return &definition
}

// fieldsOf are all fields of the spec or the status, itself first, parents before children.
func fieldsOf(t *testing.T, part string) []field {
	t.Helper()
	schema := resourceDefinition(t).Spec.Versions[0].Schema.OpenAPIV3Schema
	return walk(field{path: part, name: part, schema: schema.Properties[part]})
}

// walk gives a field and all that are below it.
func walk(at field) []field {
	fields := []field{at}
	for name, schema := range at.schema.Properties {
		fields = append(fields, walk(field{path: at.path + "." + name, name: name, schema: schema})...)
	}
	if items := at.schema.Items; items != nil {
		fields = append(fields, walk(field{path: at.path + "[]", schema: *items.Schema})...)
	}
	if values := at.schema.AdditionalProperties; values != nil {
		fields = append(fields, walk(field{path: at.path + "[]", schema: *values.Schema})...)
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.path, b.path) })
	return fields
}

// rulesOf are the CEL rules of the spec or the status and of the object itself, each as "field: what the user reads".
func rulesOf(t *testing.T, part string) []string {
	t.Helper()
	schema := resourceDefinition(t).Spec.Versions[0].Schema.OpenAPIV3Schema
	var rules []string
	for _, f := range append(fieldsOf(t, part), field{schema: *schema}) {
		for _, rule := range f.schema.XValidations {
			text := rule.Message
			if path := strings.TrimPrefix(f.path+rule.FieldPath, "."); path != "" {
				text = path + ": " + text
			}
			rules = append(rules, text)
		}
	}
	return rules
}

func TestEveryFieldIsDescribedForKubectlExplain(t *testing.T) {
	for _, f := range append(fieldsOf(t, "spec"), fieldsOf(t, "status")...) {
		switch description := f.schema.Description; {
		case f.name == "" && f.schema.Type == "object" && description == "":
			t.Errorf("%s has no description", f.path)
		case f.name == "":
		case description == "":
			t.Errorf("%s has no description", f.path)
		case !strings.HasPrefix(description, f.name+" ") && !strings.HasPrefix(description, f.name+":"):
			t.Errorf("the description of %s does not begin with its name: %s", f.path, description)
		case !strings.HasSuffix(description, ".") && !strings.Contains(description, "Example: "):
			t.Errorf("the description of %s does not end as a sentence: %s", f.path, description)
		}
	}
}

func TestEveryFieldHasBounds(t *testing.T) {
	for _, f := range append(fieldsOf(t, "spec"), fieldsOf(t, "status")...) {
		s := f.schema
		bounded := false
		switch s.Type {
		case "string":
			bounded = s.MaxLength != nil || len(s.Enum) > 0 || s.Format == "date-time"
		case "integer":
			bounded = s.Minimum != nil && s.Maximum != nil || f.path == "status.conditions[].observedGeneration" // its list has a rule
		case "array":
			bounded = s.MaxItems != nil
		case "object":
			bounded = s.AdditionalProperties == nil || s.MaxProperties != nil
		case "boolean":
			bounded = true
		}
		if !bounded {
			t.Errorf("%s (%s) has no bound", f.path, s.Type)
		}
	}
}

func TestEveryTimeInStatusIsOneThatGoReads(t *testing.T) {
	for _, f := range fieldsOf(t, "status") {
		ruled := len(f.schema.XValidations) > 0 || f.path == "status.conditions[].lastTransitionTime" // its list has a rule
		if f.schema.Format == "date-time" && !ruled {
			t.Errorf("%s has no rule: the format date-time lets through what Go refuses", f.path)
		}
	}
}
