package judge

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// Request is one that came, at the authorization or the token endpoint.
type Request struct {
	Path          string
	Query         url.Values
	Form          url.Values // of the body
	Authorization string     // the header
}

// Requests are those that came to a path, in order.
func (j *Judge) Requests(path string) []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.journal), func(r Request) bool { return r.Path != path })
}

func (j *Judge) note(r *http.Request) {
	j.journal = append(j.journal, Request{
		Path: r.URL.Path, Query: r.URL.Query(), Form: maps.Clone(r.PostForm), Authorization: r.Header.Get("Authorization"),
	})
}
