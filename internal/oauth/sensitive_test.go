package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// theSecret is looked for in everything that is printed below, also in hexadecimal and base64.
const theSecret = "s3cr3t-v4lue"

func secretForms() []string {
	return []string{theSecret, "73336372337", "733363723374", "0x73", "czNjcjN0", "[115 51", "115, 51"}
}

// secretive are all types of this package that hold a secret, as values and as pointers, alone and inside something else.
func secretive() map[string]any {
	sensitive := NewSensitive(theSecret)
	token := Token{
		AccessToken: sensitive, RefreshToken: sensitive, IDToken: sensitive, TokenType: "Bearer",
		Extra: map[string]any{"device_secret": theSecret},
	}
	request := &Request{URL: "https://vendor.example/" + theSecret, authorization: sensitive, body: sensitive}
	return map[string]any{
		"a Sensitive":                         sensitive,
		"a pointer to a Sensitive":            &sensitive,
		"a list of Sensitives":                []Sensitive{sensitive},
		"Credentials":                         Credentials{"password": sensitive},
		"a struct with an exported Sensitive": struct{ Password Sensitive }{sensitive},
		"a struct with a hidden Sensitive":    struct{ password Sensitive }{sensitive},
		"a Token":                             token,
		"a pointer to a Token":                &token,
		"a struct with a Token":               struct{ Token *Token }{&token},
		"a Request":                           request,
		"an Error":                            &Error{Message: "refused", cause: errors.New(theSecret)},
	}
}

func TestA10_NothingSecretIsPrinted(t *testing.T) {
	printers := map[string]func(any) string{
		"JSON": func(v any) string { b, err := json.Marshal(v); return string(b) + fmt.Sprint(err) },
		"slog as text": func(v any) string {
			return logged(v, func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) })
		},
		"slog as JSON": func(v any) string {
			return logged(v, func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) })
		},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%X", "%q", "%o", "%b", "%c", "%U", "%e", "%t", "%p", "%T", "%10.3s"} {
		printers[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	for what, value := range secretive() {
		for printer, show := range printers {
			switch {
			case what == "a Request" && strings.Contains(printer, "JSON"):
				continue // its exported fields are not secret, and its hidden ones are unknown to encoding/json
			case what == "a Token" && printer == "%p":
				continue // a mistake that vet finds; fmt asks no method for it, and members of unknown meaning can't hide
			}
			t.Run(what+" by "+printer, func(t *testing.T) { wantNoSecret(t, show(value)) })
		}
	}
}

func logged(value any, handler func(*bytes.Buffer) slog.Handler) string {
	var out bytes.Buffer
	slog.New(handler(&out)).Info("test", "value", value)
	return out.String()
}

func wantNoSecret(t *testing.T, shown string) {
	t.Helper()
	for _, form := range secretForms() {
		if strings.Contains(strings.ToLower(shown), strings.ToLower(form)) {
			t.Errorf("shows the secret (as %s): %s", form, shown)
		}
	}
}

// A panic prints its value without asking fmt.
func TestA10_NoPanicPrintsASecret(t *testing.T) {
	if what := os.Getenv("TOKENSYNC_TEST_PANIC"); what != "" {
		panic(secretive()[what])
	}
	for what := range secretive() {
		t.Run(what, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestA10_NoPanicPrintsASecret$")
			command.Env = append(os.Environ(), "TOKENSYNC_TEST_PANIC="+what)
			output, err := command.CombinedOutput()
			if err == nil || !bytes.Contains(output, []byte("panic:")) {
				t.Fatalf("did not panic: %s", output)
			}
			wantNoSecret(t, string(output))
		})
	}
}

func TestSensitiveShowsThatItIsRedacted(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		for _, value := range []any{NewSensitive(theSecret), Sensitive{}} {
			if got := fmt.Sprintf(verb, value); got != redacted {
				t.Errorf("%s shows %q", verb, got)
			}
		}
	}
}

func TestSensitiveEncodesAsRedacted(t *testing.T) {
	for _, value := range []Sensitive{NewSensitive(theSecret), {}} {
		encoded, err := json.Marshal(map[string]any{"value": value})
		if err != nil || string(encoded) != `{"value":"[redacted]"}` {
			t.Errorf("JSON %s, %v", encoded, err)
		}
		if got := slog.AnyValue(value).Resolve(); got.Kind() != slog.KindString || got.String() != redacted {
			t.Errorf("slog %v", got)
		}
	}
}

func TestSensitive(t *testing.T) {
	value, same, other := NewSensitive(theSecret), NewSensitive(theSecret), NewSensitive("other")
	switch {
	case value.Reveal() != theSecret:
		t.Errorf("Reveal() = %q", value.Reveal())
	case !value.Equal(same), value.Equal(other), value.Equal(Sensitive{}):
		t.Error("Equal does not compare values")
	case value.IsEmpty(), !NewSensitive("").IsEmpty(), !(Sensitive{}).IsEmpty():
		t.Error("IsEmpty is not about the value")
	case NewSensitive("") != Sensitive{}, (Sensitive{}).Reveal() != "":
		t.Error("an empty value is not the zero value")
	}
}
