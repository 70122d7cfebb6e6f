package oauth

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/tailscale/hujson"
)

// maxDepth of nested objects and lists in an answer. A parser that calls itself needs a bound of its own beside the size.
const maxDepth = 100

// object is a JSON object, its values undecoded. A map and not a struct, since encoding/json would take Access_Token for access_token.
type object map[string]json.RawMessage

// errNotObject is an answer that no leniency makes an object of. It says nothing of the content.
var errNotObject = errors.New("not a JSON object")

// parseObject reads strict JSON, and where that fails JSON with comments and trailing commas: one vendor's manual prints those. A byte
// order mark is skipped. The Content-Type is not asked, since servers are wrong about it.
func parseObject(body []byte) (object, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	var members object
	if json.Unmarshal(body, &members) == nil && members != nil {
		return members, nil
	}
	if isDeep(body) {
		return nil, errNotObject
	}
	standard, err := hujson.Standardize(bytes.Clone(body))
	if err != nil || json.Unmarshal(standard, &members) != nil || members == nil {
		return nil, errNotObject
	}
	return members, nil
}

// isDeep tells whether values may be nested deeper than maxDepth. Brackets in strings count too: a guess on the safe side.
func isDeep(body []byte) bool {
	depth := 0
	for _, b := range body {
		switch b {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > maxDepth {
			return true
		}
	}
	return false
}
