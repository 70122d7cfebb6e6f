// Package content makes what a target Secret holds: the default keys and those of the user's templates. It is pure.
package content

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// The default keys of a target Secret.
const (
	KeyAccessToken   = "access_token"
	KeyTokenType     = "token_type"
	KeyAuthorization = "authorization"
	KeyExpiresAt     = "expires_at"
	KeyScope         = "scope"
	KeyIDToken       = "id_token"
)

// The type of registry credentials, and the key that it must have.
const (
	typeDockerConfigJSON = "kubernetes.io/dockerconfigjson"
	keyDockerConfigJSON  = ".dockerconfigjson"
)

// maxTemplateOutput is what all rendered keys of one Secret may hold together: the API server refuses a Secret over 1 MiB.
const maxTemplateOutput = 1 << 20

// Token is what is written. It is not for printing.
type Token struct {
	AccessToken, TokenType, Scope, IDToken string
	IssuedAt, ExpiresAt                    time.Time
	Extra                                  map[string]any // other members of the vendor's answer
}

// Render makes the data of a target Secret. The error is a fault of a template, in words for the user, and quotes no value.
func Render(target v1alpha1.Target, t Token) (map[string][]byte, error) {
	data := map[string][]byte{}
	authorization := t.TokenType + " " + t.AccessToken
	if target.DefaultKeys != v1alpha1.DefaultKeysOmit {
		for key, value := range map[string]string{
			KeyAccessToken: t.AccessToken, KeyTokenType: t.TokenType, KeyAuthorization: authorization,
			KeyExpiresAt: formatTime(t.ExpiresAt), KeyScope: t.Scope, KeyIDToken: t.IDToken,
		} {
			if value != "" {
				data[key] = []byte(value)
			}
		}
	}
	if target.Template == nil {
		return data, nil
	}
	view := templateView{
		AccessToken: t.AccessToken, TokenType: t.TokenType, Authorization: authorization, Scope: t.Scope, IDToken: t.IDToken,
		ExpiresAt: formatTime(t.ExpiresAt), IssuedAt: formatTime(t.IssuedAt), Extra: t.Extra,
	}
	size := 0
	for key, value := range data {
		if _, replaced := target.Template.Data[key]; !replaced {
			size += len(value)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(target.Template.Data)) {
		value, err := renderTemplate(key, string(target.Template.Data[key]), view)
		if err != nil {
			return nil, err
		}
		if size += len(value); size > maxTemplateOutput {
			return nil, fmt.Errorf("template.data[%s] makes the Secret larger than it may be (1 MiB): shorten the templates", key)
		}
		data[key] = value
	}
	return data, typeFault(target, data)
}

// typeFault is that the API server would not take data for the Secret's type, which it finds out only once there is a token. That the keys are
// there, it checks in the OAuthToken.
func typeFault(target v1alpha1.Target, data map[string][]byte) error {
	if target.Type != typeDockerConfigJSON {
		return nil
	}
	var object map[string]any
	if json.Unmarshal(data[keyDockerConfigJSON], &object) != nil { // its words may quote the token
		return fmt.Errorf("template.data[%s] gives no JSON object, which the type %s must hold; the function dockerconfigjson makes one",
			keyDockerConfigJSON, target.Type)
	}
	return nil
}

// Faults are what keeps templates from even being read, in words for the user, by key.
func Faults(target v1alpha1.Target) []string {
	if target.Template == nil {
		return nil
	}
	var faults []string
	for _, key := range slices.Sorted(maps.Keys(target.Template.Data)) {
		if _, err := parseTemplate(key, string(target.Template.Data[key])); err != nil {
			faults = append(faults, err.Error())
		}
	}
	return faults
}

func formatTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }
