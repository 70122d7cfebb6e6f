package oauth

import (
	"maps"
	"net/url"
)

// form is the content of an application/x-www-form-urlencoded body: a value by name, so that no parameter is sent twice (RFC
// 6749, section 3.2).
type form map[string]Sensitive

// joinForms puts forms together. A later one wins; Resolve sees to it that names differ.
func joinForms(forms ...form) form {
	joined := form{}
	for _, f := range forms {
		maps.Copy(joined, f)
	}
	return joined
}

// encode is the body: UTF-8, names sorted, spaces as + (RFC 6749, appendix B). Empty values are left out, since they mean the
// same as absent ones (RFC 6749, section 3.2).
func (f form) encode() Sensitive {
	values := url.Values{}
	for name, value := range f {
		if !value.IsEmpty() {
			values.Set(name, value.Reveal())
		}
	}
	return NewSensitive(values.Encode())
}
