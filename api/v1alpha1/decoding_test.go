package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// testDecoding shows that Go reads whatever the API server accepts: one object that it doesn't would stop the cache for everybody.
// Every field is given every nasty value. What is accepted is decoded as the cache decodes it.
func (s apiServer) testDecoding(t *testing.T) {
	s.store(t)
	for _, f := range append(fieldsOf(t, "spec"), fieldsOf(t, "status")...) {
		t.Run(f.path, func(t *testing.T) {
			accepted := 0
			for _, value := range nastyValues(f) {
				answer := s.try(t, f.path, with(sampleFor(t, f.path), f.path, json.RawMessage(value)))
				if answer.code >= 400 {
					continue
				}
				accepted++
				checkDecodes(t, value, answer.body)
			}
			t.Logf("%d accepted", accepted)
		})
	}
	t.Run("metadata", s.testDecodingMetadata)
}

// checkDecodes fails the test unless an object, as the API server would store it, is one that the operator can work with.
func checkDecodes(t *testing.T, value string, object []byte) {
	t.Helper()
	token, err := decode(object)
	if err != nil {
		t.Errorf("%.100s is accepted, and stops the cache: %v", value, err)
		return
	}
	if invalid := token.Spec.InvalidDurations(); len(invalid) > 0 {
		t.Errorf("%.100s is accepted, and no duration in %v", value, invalid)
	}
	if _, err := json.Marshal(token); err != nil {
		t.Errorf("%.100s is accepted, and can't be written back: %v", value, err)
	}
}

// decode reads an object as clients and caches do.
func decode(object []byte) (*v1alpha1.OAuthToken, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	decoded, _, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode(object, nil, nil)
	if err != nil {
		return nil, err
	}
	token, ok := decoded.(*v1alpha1.OAuthToken)
	if !ok {
		return nil, fmt.Errorf("decoded as %T", decoded)
	}
	return token, nil
}

// nastyValues are values in JSON that a field of this kind might let through and Go might not.
func nastyValues(f field) []string {
	values := []string{`null`, `{}`, `[]`, `[null]`, `{"a":null}`, `{"a":1}`, `true`, `"true"`, `""`, `0`}
	switch {
	case f.schema.Format == "date-time":
		return append(values, nastyTimes()...)
	case f.path == "spec.caBundle":
		return slices.Concat(values, nastyTexts(), nastyBytes())
	case strings.HasPrefix(f.path, "spec.renewal.") && f.schema.Type == "string", strings.HasSuffix(f.path, ".lifetime"):
		return slices.Concat(values, nastyTexts(), nastyDurations())
	case f.schema.Type == "string":
		return slices.Concat(values, nastyTexts())
	case f.schema.Type == "integer":
		return append(values, nastyNumbers()...)
	}
	return values
}

func nastyTexts() []string {
	return []string{
		`" "`, `"\u0000"`, `"\ud800"`, `"\udfff\ud800"`, "\"\xff\"", `"\ufeff"`, `"a\nb"`, `"<&>\u2028"`, `"1"`, `"null"`, `"100Mi"`, `"1e3"`,
		`"https://a.example/%41"`, `1.5`, `1e400`,
	}
}

func nastyDurations() []string {
	return quotedJSON(
		"banana", "1d", "1w", "99999999999h", "-5m", "+5m", "0", "0s", "1h30m", "1.5h", "5", "5 m", "5M", "1m1h", "5m5m", "876000h", "876001h",
		"999999h9999999m999999999s", "2562047h47m16s", "2562048h", "9223372036s", "9223372037s", "100ms", "1us", "1µs", "1ns", "PT5M", "h",
		"٣h", "1h\n", "\t1h", "1_000s", "0x10s", "1e3s", "00000000000000000000000000001s", "000001h0000001m000000001s", ".s", "-", "1h-1m",
	)
}

func nastyBytes() []string {
	return quotedJSON(
		"AAAA", "AAA=", "AA==", "A===", "====", "=", "A", "AA", "AAA", "AB==", "AAB=", "_-__", "-___", "AAAA\n", "AAAA\r\nAAAA", "\nAA\n=\n=\n",
		"AAAA AAAA", "AAAA\tAAAA", "AAAA\vAAAA", "AAAA\u0085AAAA", "AAA=AAAA", "AA==AA==", "AAAA=", "AAAA==", "AAAA====", "ÄÄÄÄ", "AAAA\x00",
		"AAA\n", "\n\n\n\n", "AA=\n=", "A\n===",
	)
}

func nastyTimes() []string {
	return quotedJSON(
		"2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01", "2026-01-01t00:00:00z", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z",
		"2026-01-01T00:00:60Z", "2026-12-31T23:59:60Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+23:59", "2026-01-01T00:00:00-23:59", "2026-01-01T00:00:00+25:00", "2026-01-01T00:00:00+99:99",
		"2026-01-01T00:00:00+0100", "2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.123456789012Z",
		"2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00x5Z", "2026-01-01T00:00:00 5Z", "2026-01-01T00:00:0015Z", "2026-01-01T00:00:00\n5Z",
		"2026-01-01T00:00:00ZTgarbage", "2026-01-01T00:00:00ZT", "2026-01-01T00:00:00Z ", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59", "10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2026-1-1T0:0:0Z", "20260101T000000Z", "2026-W01-1T00:00:00Z", "2026-001T00:00:00Z",
		"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1767225600", "Thu, 01 Jan 2026 00:00:00 GMT", "２０２６-01-01T00:00:00Z", "now",
	)
}

func nastyNumbers() []string {
	return []string{
		`1`, `-1`, `-0`, `1.0`, `1.5`, `1e1`, `1e-1`, `99`, `1e3`, `2147483647`, `2147483648`, `4294967296`, `4294967297`, `9007199254740991`,
		`9007199254740992`, `9007199254740993`, `9223372036854775807`, `9223372036854775808`, `18446744073709551616`, `1e18`, `1e19`, `1e21`,
		`1e300`, `1e400`, `"1"`, `"99"`, `5.0000000000000000001`, `9007199254740990.5`, `0.99999999999999999999`,
	}
}

// quotedJSON writes texts as JSON.
func quotedJSON(texts ...string) []string {
	values := make([]string, len(texts))
	for i, text := range texts {
		value, err := json.Marshal(text)
		if err != nil {
			panic(err) // a string can always be written
		}
		values[i] = string(value)
	}
	return values
}

// testDecodingMetadata does the same for what a client may write to metadata.
func (s apiServer) testDecodingMetadata(t *testing.T) {
	times := append(nastyTimes(), `null`, `5`, `""`)
	managed := `{"manager":"a","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{},"time":`
	owner := `{"apiVersion":"v1","kind":"Pod","name":"a",`
	for path, values := range map[string][]string{
		`{"creationTimestamp":%s}`:               times,
		`{"deletionTimestamp":%s}`:               times,
		`{"deletionGracePeriodSeconds":%s}`:      nastyNumbers(),
		`{"generation":%s}`:                      nastyNumbers(),
		`{"labels":%s}`:                          {`null`, `{"a":null}`, `{"a":1}`, `{"a":true}`, `[]`, `""`},
		`{"annotations":%s}`:                     {`null`, `{"a":null}`, `{"a":1}`, `{"a":true}`, `[]`, `""`},
		`{"annotations":{"a":%s}}`:               append(nastyTexts(), `null`, `{}`),
		`{"finalizers":[%s]}`:                    {`null`, `1`, `"a/b"`, `{}`},
		`{"ownerReferences":[%s]}`:               {`null`, `{}`, owner + `"uid":5}`, owner + `"uid":"x","controller":"yes"}`},
		`{"managedFields":[` + managed + `%s}]}`: times,
		`{"uid":%s}`:                             {`5`, `null`, `"x"`},
		`{"resourceVersion":%s}`:                 {`5`, `null`, `""`},
		`{"generateName":%s}`:                    {`5`, `null`, `"x-"`},
	} {
		for _, value := range values {
			fields := strings.TrimPrefix(fmt.Sprintf(path, value), "{")
			object := `{"apiVersion":"tokensync.dev/v1alpha1","kind":"OAuthToken","metadata":{"name":"token",` + fields +
				`,"spec":{"vendor":"x","credentialsSecretRef":{"name":"credentials"}}}`
			if answer := s.send(t, http.MethodPost, collection+"?dryRun=All", []byte(object)); answer.code < 400 {
				checkDecodes(t, fields, answer.body)
			}
		}
	}
}
