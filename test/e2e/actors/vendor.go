package actors

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// Play is what the vendor is told before it starts.
type Play struct {
	// Lifetime is that of access tokens whose client states none.
	Lifetime time.Duration
	// RedirectURI is where browsers may be sent back to.
	RedirectURI string
	// IdentityProvider is the certificate (PEM) of the one that the example manifest for SAML speaks for.
	IdentityProvider []byte
	// Clients are registered beside those of the example manifests.
	Clients []oauthtest.Client
}

// Count is what the vendor's token endpoint did for a client.
type Count struct {
	Requests int // answered ones, whatever the answer
	Issued   int // of them, those that brought a token
}

// vendor is the scripted vendor and the resource server. What it issued survives its process, as it does at a real one.
type vendor struct {
	*oauthtest.Server
	file string
	lock sync.Mutex // of the file
}

// RunVendor plays the vendor until the context ends.
func RunVendor(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("vendor", flag.ContinueOnError)
	play := flags.String("play", "/etc/play/play.json", "file with what is played")
	certificate := flags.String("certificate", "/etc/tls/tls.crt", "file with the certificate (PEM)")
	key := flags.String("key", "/etc/tls/tls.key", "file with its key (PEM)")
	file := flags.String("memory", "/memory/issued.json", "file that keeps what was issued")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	v, err := newVendor(*play, *file)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	public := &http.Server{Addr: ":8443", Handler: v, ReadHeaderTimeout: time.Minute}
	private := &http.Server{Addr: ":8080", Handler: v.desk(), ReadHeaderTimeout: time.Minute}
	go func() { failed <- public.ListenAndServeTLS(*certificate, *key) }()
	go func() { failed <- private.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return errors.Join(public.Close(), private.Close())
	}
}

func newVendor(playFile, memory string) (*vendor, error) {
	content, err := os.ReadFile(playFile)
	if err != nil {
		return nil, err
	}
	var play Play
	if err := json.Unmarshal(content, &play); err != nil {
		return nil, fmt.Errorf("read %s: %w", playFile, err)
	}
	v := &vendor{file: memory, Server: oauthtest.New(oauthtest.WithLifetime(play.Lifetime), oauthtest.WithHistory(100))}
	v.Register(play.Clients...)
	v.RegisterRedirectURI(play.RedirectURI)
	if len(play.IdentityProvider) > 0 {
		provider, err := oauthtest.ExampleIdentityProvider(play.IdentityProvider)
		if err != nil {
			return nil, err
		}
		v.Trust(provider)
	}
	kept, err := os.ReadFile(memory)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	} else if err != nil {
		return nil, err
	}
	return v, v.Restore(kept)
}

// ServeHTTP implements http.Handler. What a request brought is in the file before its answer leaves: a process that is killed may lose an
// answer, but no token that somebody has.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/resource" {
		v.Server.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	v.Server.ServeHTTP(answer, r)
	if err := v.save(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = answer.Body.WriteTo(w)
}

func (v *vendor) save() error {
	v.lock.Lock()
	defer v.lock.Unlock()
	issued, err := v.Snapshot()
	if err != nil {
		return err
	}
	return replace(v.file, issued)
}

// replace writes a file so that whoever reads it finds the old or the new content, whole.
func replace(file string, content []byte) error {
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// desk is where the suite asks what happened.
func (v *vendor) desk() http.Handler {
	desk := http.NewServeMux()
	desk.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	desk.HandleFunc("GET /count", func(w http.ResponseWriter, r *http.Request) {
		match := oauthtest.Match{Vendor: oauthtest.Vendor(r.FormValue("vendor")), ClientID: r.FormValue("client")}
		count := Count{Requests: v.Count(match)}
		match.Outcome = oauthtest.Issued
		count.Issued = v.Count(match)
		_ = json.NewEncoder(w).Encode(count)
	})
	desk.HandleFunc("POST /live", func(w http.ResponseWriter, r *http.Request) {
		token, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
		if err == nil && v.IsLive(string(token)) {
			_, _ = io.WriteString(w, "live")
		}
	})
	desk.HandleFunc("GET /seed", func(w http.ResponseWriter, r *http.Request) {
		seed := v.NewRefreshToken(oauthtest.Vendor(r.FormValue("vendor")), r.FormValue("client"), "")
		if err := v.save(); err != nil || seed == "" {
			http.Error(w, "no such client, or no place to write", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, seed)
	})
	return desk
}
